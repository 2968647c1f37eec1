package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

type upFlags struct {
	fleet.Options
	config  string
	install bool
}

func newUpCommand(streams genericiooptions.IOStreams) *cobra.Command {
	flags := &upFlags{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start clusters on this machine: one to submit to, and others to burst to",
		Long: "Start real Kubernetes clusters as processes on this machine, with simulated nodes: one source cluster and, " +
			"without --config, the targets heata (cheap, green) and cloud (dearer, dirtier). The first run compiles Kubernetes. " +
			"With --runtime containerd or kind the nodes are real.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runUp(cmd, streams, flags) },
	}
	cmd.Flags().StringVar(&flags.Name, "name", fleet.DefaultName, "name of the fleet; fleets of different names run side by side")
	cmd.Flags().StringVar(&flags.config, "config", "", "file that describes the clusters (see docs/fleet.md)")
	cmd.Flags().StringVar(&flags.Dir, "dir", "",
		"folder for kubeconfigs, logs and process ids (default: one per fleet in the user's cache folder)")
	cmd.Flags().StringVar(&flags.Runtime, "runtime", fleet.RuntimeKwok,
		"what runs the nodes, where the configuration does not say: kwok simulates them; containerd runs containers on this "+
			"machine (Linux, root); kind does so in Docker or Podman")
	cmd.Flags().BoolVar(&flags.install, "install", false, "install the packages that containerd nodes need, without asking")
	cmd.Flags().BoolVar(&flags.WithoutController, "without-controller", false, "do not start spillway-controller")
	cmd.Flags().BoolVar(&flags.Retain, "retain", false, "after a failure leave everything in place, to look at it")
	return cmd
}

func runUp(cmd *cobra.Command, streams genericiooptions.IOStreams, flags *upFlags) error {
	flags.Out = streams.ErrOut
	flags.Confirm = confirm(streams, flags.install)
	if flags.config != "" {
		data, err := os.ReadFile(flags.config)
		if err != nil {
			return fmt.Errorf("reading the fleet's configuration: %w", err)
		}
		if flags.Config, err = fleet.Parse(data); err != nil {
			return fmt.Errorf("%s: %w", flags.config, err)
		}
	}
	f, err := fleet.Up(cmd.Context(), flags.Options)
	if err != nil {
		return err
	}
	return printNext(streams.Out, f)
}

// confirm asks on a terminal; elsewhere nobody answers, and the answer is no.
func confirm(streams genericiooptions.IOStreams, always bool) func(question string) bool {
	return func(question string) bool {
		if always {
			return true
		}
		in, ok := streams.In.(*os.File)
		if !ok || !term.IsTerminal(int(in.Fd())) {
			return false
		}
		_, _ = fmt.Fprintf(streams.ErrOut, "%s [y/N] ", question)
		answer, _ := bufio.NewReader(in).ReadString('\n') // no answer is no
		return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
	}
}

// printNext ends with what to type next, complete, so that it can be copied.
func printNext(out io.Writer, f *fleet.Fleet) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nFleet %s is ready. Submit pods to cluster %s", f.Name, f.Source())
	if targets := f.Targets(); len(targets) > 0 {
		fmt.Fprintf(&b, "; they may burst to %s", strings.Join(targets, " and "))
	}
	fmt.Fprintf(&b, ". Next:\n\n  export KUBECONFIG=%s\n", f.Kubeconfig(f.Source()))
	if _, err := exec.LookPath("kubectl"); err != nil {
		fmt.Fprintf(&b, "  export PATH=\"$PATH:%s\"\n", filepath.Dir(f.Binary("kubectl")))
	}
	fmt.Fprintf(&b, "  kubectl get targets\n\nEnd it with: %s\n", f.DownCommand())
	_, err := io.WriteString(out, b.String())
	return err
}
