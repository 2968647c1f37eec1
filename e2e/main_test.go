package e2e

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

const (
	envRun        = "SPILLWAY_E2E"
	envFleet      = "SPILLWAY_E2E_FLEET"
	envController = "SPILLWAY_CONTROLLER"

	logLines = 25
)

//go:embed fleet.yaml
var fleetConfig []byte

// The fleet, and its clusters.
var (
	clusters                             *fleet.Fleet
	source, source2, heata, cloud, spare *cluster

	scratch string // a folder that goes with the tests
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(envRun) == "" {
		fmt.Printf("skipped: the end-to-end tests start a fleet of five clusters; set %s=1 to run them\n", envRun)
		return
	}
	// Scenarios wait much more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

// run is TestMain with defers.
func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	temp, err := os.MkdirTemp("", "spillway-e2e-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(temp) }()
	scratch = temp
	options := fleet.Options{Name: fmt.Sprintf("e2e-%d", os.Getpid()), Dir: filepath.Join(temp, "fleet"), Out: os.Stdout}
	if dir := os.Getenv(envFleet); dir != "" {
		options.Name, options.Dir = "e2e", dir
	} else {
		defer func() { _ = fleet.Down(context.Background(), options.Dir, os.Stdout) }() // Up has cleaned up if it failed
	}
	if err := up(ctx, temp, options); err != nil {
		fmt.Println(err)
		return 1
	}
	return scenarios(ctx, m)
}

func scenarios(ctx context.Context, m *testing.M) int {
	finished := make(chan int, 1)
	go func() { finished <- m.Run() }()
	select {
	case code := <-finished:
		if code != 0 {
			showLogs()
		}
		return code
	case <-ctx.Done(): // else Ctrl-C would leave five clusters behind
		return 1
	}
}

// up starts the fleet, or finds the one that runs; temp receives the controller.
func up(ctx context.Context, temp string, o fleet.Options) (err error) {
	if err := buildController(ctx, temp); err != nil {
		return err
	}
	if o.Config, err = fleet.Parse(fleetConfig); err != nil {
		return err
	}
	if clusters, err = fleet.Up(ctx, o); err != nil {
		return err
	}
	return connect()
}

// buildController compiles the controller once; the fleet would do so for each source, and at every restart.
func buildController(ctx context.Context, dir string) error {
	if os.Getenv(envController) != "" {
		return nil
	}
	file := filepath.Join(dir, "spillway-controller")
	build := exec.CommandContext(ctx, "go", "build", "-o", file, "../cmd/spillway-controller")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the controller: %w\n%s", err, output)
	}
	return os.Setenv(envController, file)
}

func connect() (err error) {
	for name, to := range map[string]**cluster{
		"source": &source, "source2": &source2, "heata": &heata, "cloud": &cloud, "spare": &spare,
	} {
		if *to, err = newCluster(name); err != nil {
			return fmt.Errorf("connecting to cluster %s: %w", name, err)
		}
	}
	return nil
}

// showLogs prints the end of each controller's log, which is about to be removed with the fleet.
func showLogs() {
	logs, _ := filepath.Glob(filepath.Join(clusters.Dir, "*", "spillway-controller*.log")) // the pattern is well formed
	for _, log := range logs {
		data, err := os.ReadFile(log)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		fmt.Printf("--- the end of %s\n%s\n", log, strings.Join(lines[max(0, len(lines)-logLines):], "\n"))
	}
}
