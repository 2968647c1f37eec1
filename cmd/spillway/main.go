// Command spillway is the CLI, also as kubectl plugin: `kubectl spillway`. What enters are flags; results leave on stdout,
// progress and errors on stderr. Each subcommand is a file of its own, with a function that newRootCommand lists.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

// errSilent makes the exit code 1 after a command has printed by itself what is wrong.
var errSilent = errors.New("see above")

// version is set when a release is linked.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrllog.SetLogger(logr.Discard()) // Else its clients print a stack trace after 30 s. Subcommands print for themselves.
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	if err := newRootCommand(streams).ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			_, _ = fmt.Fprintln(streams.ErrOut, "Error:", err)
		}
		stop()
		os.Exit(1)
	}
}

func newRootCommand(streams genericiooptions.IOStreams) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "spillway",
		Short:         "Makes other Kubernetes clusters look like nodes of yours",
		SilenceErrors: true, // main prints them once
		SilenceUsage:  true,
	}
	cmd.SetIn(streams.In)
	cmd.SetOut(streams.Out)
	cmd.SetErr(streams.ErrOut)
	cmd.AddCommand(
		newUpCommand(streams),
		newDownCommand(streams),
		newJoinCommand(streams),
		newUnjoinCommand(streams),
		newStatusCommand(streams),
		newExplainCommand(streams),
		newCheckCommand(streams),
		newVersionCommand(streams),
	)
	return cmd
}

func newVersionCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and those of what a fleet runs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(streams.Out, "spillway %s (fleets: Kubernetes %s, etcd %s, kwok %s)\n",
				ownVersion(), fleet.KubernetesVersion, fleet.EtcdVersion, fleet.KwokVersion)
			return err
		},
	}
}

// ownVersion is the release's, or what `go install` or a checkout leaves in the binary.
func ownVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
