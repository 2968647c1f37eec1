// Command conformance is `make conformance`: it lets Kubernetes' own end-to-end tests judge Spillway. They run twice on a
// fleet with real containers: directly against the target (the control), and against a source cluster whose only place to
// run pods is that target (the burst). What enters is a choice of tests; what leaves is which of them pass directly and not
// through Spillway, and a verdict. See docs/conformance.md.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spillway-dev/spillway/conformance/judge"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

// errDifferent is returned when the burst is not as good as it must be.
var errDifferent = errors.New("tests that pass in the control fail in the burst")

//go:embed exceptions.yaml
var exceptionList []byte

type options struct {
	focus   string
	only    string
	procs   int
	fleet   string
	results string
	write   bool
	install bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "conformance:", err)
		}
		os.Exit(1)
	}
}

func parse(args []string, log io.Writer) (options, focus, error) {
	var o options
	f := flag.NewFlagSet("conformance", flag.ContinueOnError)
	f.SetOutput(log)
	f.StringVar(&o.focus, "focus", "ci", "which tests: ci or local, which has more of them")
	f.StringVar(&o.only, "only", "", "instead of a focus: tests whose names match this regular expression")
	f.IntVar(&o.procs, "procs", 16, "how many tests run side by side")
	f.StringVar(&o.fleet, "fleet", "", "folder of a fleet to use, and to leave running; it is started where there is none")
	f.StringVar(&o.results, "results", "dist/conformance", "folder for reports and logs")
	f.BoolVar(&o.write, "write", false, "write the result into docs/conformance.md")
	f.BoolVar(&o.install, "install", false, "install the packages that real containers need, without asking")
	if err := f.Parse(args); err != nil {
		return o, focus{}, err
	}
	chosen, err := chooseFocus(o.focus, o.only)
	if err != nil {
		return o, chosen, err
	}
	if o.write && o.only != "" {
		return o, chosen, errors.New("-write is for a whole focus: leave -only out")
	}
	if o.procs < 1 {
		return o, chosen, fmt.Errorf("-procs %d: at least one test must run at a time", o.procs)
	}
	o.results, err = filepath.Abs(o.results)
	return o, chosen, err
}

func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	o, chosen, err := parse(args, log)
	if err != nil {
		return err
	}
	exceptions, err := judge.ParseExceptions(exceptionList)
	if err != nil {
		return err
	}
	programs, err := fleet.BuildSuite(ctx, log)
	if err != nil {
		return err
	}
	f, down, err := up(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down()) }()
	s := &suite{Suite: programs, fleet: f, procs: o.procs, results: o.results, log: log}
	verdict, err := s.judge(ctx, chosen, exceptions)
	if err != nil {
		return err
	}
	return publish(verdict, o, out)
}

// judge runs the control and the burst. What fails only in the burst is run once more, because a test that waits for a busy
// machine fails now and then: what fails then has failed.
func (s *suite) judge(ctx context.Context, chosen focus, exceptions []judge.Exception) (judge.Verdict, error) {
	control, err := s.run(ctx, "control", s.fleet.Targets()[0], chosen.tests)
	if err != nil {
		return judge.Verdict{}, err
	}
	burst, err := s.run(ctx, "burst", s.fleet.Source(), chosen.tests)
	if err != nil {
		return judge.Verdict{}, err
	}
	verdict := judge.Compare(control, burst, exceptions, chosen.least)
	if unexplained := verdict.Unexplained(); len(unexplained) > 0 {
		again, err := s.run(ctx, "again", s.fleet.Source(), exactly(unexplained))
		if err != nil {
			return judge.Verdict{}, err
		}
		burst.Update(again)
		verdict = judge.Compare(control, burst, exceptions, chosen.least)
	}
	return verdict, nil
}

func publish(v judge.Verdict, o options, out io.Writer) error {
	if _, err := io.WriteString(out, v.Text()); err != nil {
		return err
	}
	if o.write {
		if err := writeResult(document, o.focus, v.Markdown()); err != nil {
			return err
		}
	}
	if !v.Good() {
		return fmt.Errorf("%w: see above, and %s", errDifferent, o.results)
	}
	return nil
}
