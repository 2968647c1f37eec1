// Command streams measures, on real containers, what a user of logs, exec, cp and port-forward gets of a pod that runs
// elsewhere: the same streams of the same pod, taken from its own cluster (direct) and through the source cluster. What
// enters is nothing, or the folder of a fleet that runs; what leaves is docs/benchmarks-streams.md, and a verdict.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

// page is where -write puts the report.
const page = "docs/benchmarks-streams.md"

var errMissed = errors.New("a requirement is not met")

type options struct {
	execs        int
	logSeconds   int
	followers    int
	crowdTime    time.Duration
	dir          string
	check, write bool
}

// chapter is one measurement; it adds its lines to the report.
type chapter struct {
	text string
	run  func(*bench, context.Context) error
}

var chapters = []chapter{
	{"a pod in the target, and what reaches it", (*bench).begin},
	{"exec, one command after the other", (*bench).execs},
	{"100 MB through exec and cp", (*bench).large},
	{"a log of 10 MB/s", (*bench).fastLog},
	{"many logs and port-forwards at once", (*bench).crowd},
	{"commands whose user leaves", (*bench).leave},
}

func main() {
	klog.SetLogger(logr.Discard()) // client-go tells there of each stream that is cancelled
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "streams:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	b := &bench{options: o, log: log}
	defer func() { err = errors.Join(err, b.down()) }()
	if err := b.up(ctx); err != nil {
		return err
	}
	for _, c := range chapters {
		start := time.Now()
		_, _ = fmt.Fprintln(log, "•", c.text)
		if err := c.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", c.text, err)
		}
		_, _ = fmt.Fprintf(log, "✓ %s (%s)\n", c.text, time.Since(start).Round(100*time.Millisecond))
	}
	if err := b.results.publish(o.write, out); err != nil {
		return err
	}
	if o.check && b.results.missed() {
		return errMissed
	}
	return nil
}

func parse(args []string, log io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("streams", flag.ContinueOnError)
	f.SetOutput(log)
	f.IntVar(&o.execs, "execs", 200, "how many commands to run each way")
	f.IntVar(&o.logSeconds, "log-seconds", 20, "how long a pod writes 10 MB/s")
	f.IntVar(&o.followers, "followers", 200, "how many logs are followed at once; the target's kubelet watches a file for each")
	f.DurationVar(&o.crowdTime, "crowd", time.Minute, "how long the many streams stay open")
	f.StringVar(&o.dir, "fleet", "", "folder of a fleet with real containers that runs; one is started and ended when empty")
	f.BoolVar(&o.check, "check", false, "fail when a requirement is not met")
	f.BoolVar(&o.write, "write", false, "write "+page)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.execs < 1 || o.logSeconds < 1 || o.followers < 1 || f.NArg() > 0 {
		return o, fmt.Errorf("-execs, -log-seconds and -followers take a number from 1, and there are no other arguments: got %v", args)
	}
	return o, nil
}

// up starts clusters, or takes those that run.
func (b *bench) up(ctx context.Context) (err error) {
	if b.dir != "" {
		b.fleet, err = fleet.Load(b.dir)
		return err
	}
	dir, err := os.MkdirTemp("", "spillway-streams-")
	if err != nil {
		return fmt.Errorf("making a folder for the clusters: %w", err)
	}
	config, err := fleet.Parse([]byte(clusters))
	if err != nil {
		return err
	}
	b.started = filepath.Join(dir, "fleet")
	b.fleet, err = fleet.Up(ctx, fleet.Options{Name: "streams", Dir: b.started, Config: config, Runtime: fleet.RuntimeContainerd, Out: b.log})
	return err
}

func (b *bench) down() error {
	if b.started == "" {
		return nil
	}
	err := fleet.Down(context.Background(), b.started, b.log) // the caller's context is over after Ctrl-C
	return errors.Join(err, os.RemoveAll(filepath.Dir(b.started)))
}
