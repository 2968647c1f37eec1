package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	controller = "spillway-controller"

	// controllerVariable names the controller's binary.
	controllerVariable = "SPILLWAY_CONTROLLER"
	modulePath         = "github.com/spillway-dev/spillway"
	metricsFlag        = "--metrics-bind-address="
)

// ControllerOptions of StartController.
type ControllerOptions struct {
	// Name tells controllers of one fleet apart: a second source's, or a standby. "spillway-controller" when empty.
	Name string
	// Kubeconfig of the source cluster, the first source's when empty.
	Kubeconfig string
	// Binary to run. When empty: $SPILLWAY_CONTROLLER, else the one beside this program, else compiled from this module.
	Binary string
	// ExtraArgs come after the fleet's own flags, and so win.
	ExtraArgs []string
}

// StartController starts a controller on this machine and waits until it says that it is ready. It gets an administrator's
// rights in the source and new ports each time.
func (f *Fleet) StartController(ctx context.Context, o ControllerOptions) error {
	if o.Name == "" {
		o.Name = controller
	}
	if o.Kubeconfig == "" {
		o.Kubeconfig = f.Kubeconfig(f.Source())
	}
	if p, err := f.controller(o.Name); err == nil && p.alive() {
		return fmt.Errorf("starting %s: it is already running (process %d)", o.Name, p.PID)
	}
	c := f.cluster(f.sourceOf(o.Kubeconfig))
	var err error
	if o.Binary == "" {
		if o.Binary, err = controllerBinary(ctx, c.dir); err != nil {
			return err
		}
	}
	free, err := freePorts(2)
	if err != nil {
		return err
	}
	reachable, err := f.addressFor(ctx, c.Name)
	if err != nil {
		return err
	}
	args := append([]string{
		"--kubeconfig=" + o.Kubeconfig, "--kubelet-address=" + reachable,
		metricsFlag + address(free[0]), "--health-probe-bind-address=" + address(free[1]), "--leader-elect=false",
	}, o.ExtraArgs...)
	p, err := newProcess(c.dir, o.Name, o.Binary, args).start()
	if err != nil {
		return err
	}
	return c.waitReady(ctx, p, component{name: o.Name, ready: "http://" + address(free[1]) + "/readyz"})
}

// StopController sends a controller SIGTERM or SIGKILL and waits for its end; 5 seconds after SIGTERM it is killed.
func (f *Fleet) StopController(ctx context.Context, name string, signal syscall.Signal) error {
	p, err := f.controller(name)
	if err != nil {
		return err
	}
	return p.stop(ctx, signal)
}

// ControllerMetricsURL returns where a controller serves its metrics; empty for one that was never started.
func (f *Fleet) ControllerMetricsURL(name string) string {
	p, err := f.controller(name)
	if err != nil {
		return ""
	}
	for _, arg := range p.Args {
		if at, ok := strings.CutPrefix(arg, metricsFlag); ok {
			return "http://" + at + "/metrics"
		}
	}
	return ""
}

// controller finds a controller by name, whichever source it is of.
func (f *Fleet) controller(name string) (process, error) {
	for _, source := range f.Sources() {
		if p, err := f.process(source, name); err == nil {
			return p, nil
		}
	}
	return process{}, fmt.Errorf("fleet %s has no controller %s", f.Name, name)
}

// controllerName is the name of the controller that Up starts for a source: the first has the plain one.
func (f *Fleet) controllerName(source string) string {
	if source == f.Source() {
		return controller
	}
	return controller + "-" + source
}

// sourceOf returns the source that a kubeconfig is of; a test may hand in one of its own, which is the first source's.
func (f *Fleet) sourceOf(kubeconfig string) string {
	for _, source := range f.Sources() {
		if kubeconfig == f.Kubeconfig(source) {
			return source
		}
	}
	return f.Source()
}

// controllerBinary finds the controller, or compiles it into dir.
func controllerBinary(ctx context.Context, dir string) (string, error) {
	if file := os.Getenv(controllerVariable); file != "" {
		return filepath.Abs(file)
	}
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), controller); exists(beside) {
			return beside, nil
		}
	}
	root, err := moduleRoot()
	if err != nil {
		return "", fmt.Errorf("finding %s: it is not beside this program, %s is not set, and %w",
			controller, controllerVariable, err)
	}
	file := filepath.Join(dir, controller)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", file, "./cmd/"+controller)
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling %s: %w\n%s", controller, err, output)
	}
	return file, nil
}

// moduleRoot returns the folder of this module's go.mod, from the working directory upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(data, []byte("module "+modulePath+"\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the working directory is not in its module")
		}
		dir = filepath.Dir(dir)
	}
}
