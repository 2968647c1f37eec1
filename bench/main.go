// Command bench measures Spillway on this machine, in one run: the same pods given to the plain kube-scheduler of one
// cluster (the control) and to a source cluster that bursts to two such clusters. What enters is a number of pods; what
// leaves is one report (terminal, docs/benchmarks.md, JSON) with the rates, latencies, API requests, CPU and memory of
// both, and a verdict on what Spillway promises of them. See docs/benchmarks.md for how each figure is taken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spillway-dev/spillway/bench/fragmented"
)

// The parts of the work, as -only names them.
const (
	partControl = "control"
	partBurst   = "burst"
	partSingle  = "single"
	partRestart = "restart"
	partLatency = "latency"
	partWake    = "wake"
	partExact   = "exact"
	partQuality = "quality"
	partFilter  = "filter"
)

var parts = []string{partControl, partBurst, partSingle, partRestart, partLatency, partWake, partExact, partQuality, partFilter}

// pair are the parts that need targets a and b.
var pair = []string{partControl, partBurst, partSingle, partRestart, partLatency, partWake}

// errMissed is returned with -check when a requirement is not met.
var errMissed = errors.New("a requirement is not met")

type options struct {
	pods  int
	seed  uint64
	idle  time.Duration
	only  []string
	check bool
	write bool
	json  string
	keep  bool
}

// bench is one run.
type bench struct {
	options
	*machines
	log     io.Writer
	results Results

	quiet   map[string]Counts // requests a second of each cluster without a controller
	resting map[string]Counts // and with one that has nothing to do
	wave    *wave             // the burst's pods, between their creation and their deletion
	taken   []*Load           // of the burst
	world   fragmented.World
}

// step is one piece of work, for the parts it names.
type step struct {
	text string
	of   []string
	run  func(*bench, context.Context) error
}

var work = []step{
	{"filtering over 100 targets of 100 nodes, without clusters", []string{partFilter}, (*bench).filter},
	{"clusters: a source with 2 nodes, targets a and b with 100 each", pair, (*bench).up},
	{"requests of clusters without work", []string{partControl, partBurst, partRestart}, (*bench).measureQuiet},
	{"control: pods to the kube-scheduler of a", []string{partControl}, (*bench).control},
	{"control: one pod at a time", []string{partControl, partSingle, partLatency}, (*bench).controlSingle},
	{"controller", []string{partBurst, partSingle, partRestart, partLatency, partWake}, (*bench).startController},
	{"requests of a controller without work", []string{partBurst, partRestart}, (*bench).measureResting},
	{"burst: creating pods", []string{partBurst, partRestart}, (*bench).burst},
	{"restart of the controller", []string{partRestart}, (*bench).restart},
	{"burst: deleting pods", []string{partBurst, partRestart}, (*bench).burstDelete},
	{"burst: one pod at a time", []string{partSingle, partLatency}, (*bench).burstSingle},
	{"waiting pods: room becomes free in full targets", []string{partWake}, (*bench).wake},
	{"burst: one pod at a time, to targets far away", []string{partLatency}, (*bench).farSingle},
	{"clusters: ten targets that hold just their pods", []string{partExact}, (*bench).upExact},
	{"burst over ten targets", []string{partExact}, (*bench).exact},
	{"clusters: five targets whose room is in pieces", []string{partQuality}, (*bench).upFragmented},
	{"placement of mixed pods", []string{partQuality}, (*bench).quality},
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	b := &bench{options: o, machines: &machines{}, log: log, results: newResults(o, args)}
	err = b.work(ctx)
	if !b.keep {
		err = errors.Join(err, b.down())
	}
	if err != nil {
		_, _ = io.WriteString(out, b.results.markdown()) // What was measured until then may tell why.
		return err
	}
	if err := b.results.publish(o, out); err != nil {
		return err
	}
	if o.check && b.results.missed() {
		return errMissed
	}
	return nil
}

func (b *bench) work(ctx context.Context) error {
	for _, s := range work {
		if !b.wants(s) {
			continue
		}
		start := time.Now()
		_, _ = fmt.Fprintln(b.log, "•", s.text)
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
		_, _ = fmt.Fprintf(b.log, "✓ %s (%s)\n", s.text, time.Since(start).Round(100*time.Millisecond))
	}
	return nil
}

func (b *bench) wants(s step) bool {
	return len(b.only) == 0 || slices.ContainsFunc(s.of, func(p string) bool { return slices.Contains(b.only, p) })
}

func parse(args []string, log io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(log)
	f.IntVar(&o.pods, "n", 1000, "number of pods of control and burst; the other parts scale with it")
	f.Uint64Var(&o.seed, "seed", 1, "of the fleet whose room is in pieces, and of the pods for it")
	f.DurationVar(&o.idle, "idle", 30*time.Second, "how long to watch clusters without work, to subtract what they do then")
	f.BoolVar(&o.check, "check", false, "fail when a requirement is not met")
	f.BoolVar(&o.write, "write", false, "write "+page)
	f.StringVar(&o.json, "json", "", "write the results as JSON to this file")
	f.BoolVar(&o.keep, "keep", false, "leave the last clusters running, to look at them")
	f.Func("only", "do just these parts: "+strings.Join(parts, ", "), func(s string) error {
		o.only = strings.Split(s, ",")
		for _, part := range o.only {
			if !slices.Contains(parts, part) {
				return fmt.Errorf("%q is none of %s", part, strings.Join(parts, ", "))
			}
		}
		return nil
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.pods < 1 || f.NArg() > 0 {
		return o, fmt.Errorf("-n takes a number from 1, and there are no other arguments: got -n %d %v", o.pods, f.Args())
	}
	return o, nil
}
