// Command demo is `make demo`: it brings a fleet up, or finds the one that runs, submits the samples to its source cluster
// and shows where every pod went, what that costs beside the alternatives, and logs through the source cluster. What
// enters are the manifests of docs/samples; what leaves is a story on stdout, with progress on stderr.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

func main() {
	var o fleet.Options
	samples := flag.String("samples", "docs/samples", "folder of the manifests")
	flag.StringVar(&o.Name, "name", fleet.DefaultName, "name of the fleet")
	flag.StringVar(&o.Dir, "dir", "", "folder of the fleet, if not the usual one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrllog.SetLogger(logr.Discard()) // else controller-runtime's client prints a stack trace
	o.Out = os.Stderr
	if err := run(ctx, o, *samples); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "Error:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o fleet.Options, samples string) error {
	f, err := fleet.Up(ctx, o)
	if err != nil {
		return err
	}
	s, err := newStory(f, os.Stdout)
	if err != nil {
		return err
	}
	for _, chapter := range []func(context.Context) error{
		func(ctx context.Context) error { return s.job(ctx, filepath.Join(samples, "heata-job.yaml")) },
		s.alternatives,
		s.logs,
		func(ctx context.Context) error { return s.burst(ctx, filepath.Join(samples, "web-deployment.yaml")) },
		s.targets,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return s.next(f)
}

// next ends with what to type, complete, so that it can be copied.
func (s *story) next(f *fleet.Fleet) error {
	s.heading("Next")
	s.say("export KUBECONFIG=%s", f.Kubeconfig(f.Source()))
	path := "$PWD/bin"
	if _, err := exec.LookPath("kubectl"); err != nil {
		path += ":" + filepath.Dir(f.Binary("kubectl"))
	}
	s.say(`export PATH="%s:$PATH"`, path)
	s.say("spillway status -n %s", namespace)
	s.say("spillway explain pod -n %s %s", namespace, s.burstPod)
	s.say("kubectl -n %s logs deploy/%s", namespace, deployment)
	s.say("kubectl apply -f docs/samples/policy.yaml && kubectl -n %s rollout restart deploy/%s   # the greenest place first", namespace, deployment)
	s.say("make demo-down")
	return s.err
}
