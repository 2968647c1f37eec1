package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

type statusOptions struct {
	source        *sourceFlags
	allNamespaces bool
	output        string
}

// statusReport is what status prints as JSON.
type statusReport struct {
	Targets []report.Target `json:"targets"`
	Pods    []report.Pod    `json:"pods"`
}

func newStatusCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show targets, and elected pods with where each runs and why",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), streams.Out) },
	}
	o.source = newSourceFlags(cmd)
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "show elected pods of all namespaces")
	addOutputFlag(cmd, &o.output)
	return cmd
}

func (o *statusOptions) run(ctx context.Context, out io.Writer) error {
	c, err := o.source.client()
	if err != nil {
		return err
	}
	targets := &v1alpha1.TargetList{}
	if err := c.List(ctx, targets); err != nil {
		return fmt.Errorf("listing Targets: %w", installed(err))
	}
	namespace := ""
	if !o.allNamespaces {
		if namespace, err = o.source.namespace(); err != nil {
			return err
		}
	}
	pods := &corev1.PodList{}
	err = c.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelElected: v1alpha1.ElectedTrue})
	if err != nil {
		return fmt.Errorf("listing elected pods: %w", err)
	}
	r := statusReport{Targets: report.Targets(targets.Items), Pods: report.Pods(pods.Items)}
	if o.output == outputJSON {
		return report.WriteJSON(out, r)
	}
	return writeStatus(out, r, namespace)
}

func writeStatus(out io.Writer, r statusReport, namespace string) error {
	if len(r.Targets) == 0 {
		if _, err := fmt.Fprintln(out, "No targets. Join one: spillway join NAME --kubeconfig-of FILE"); err != nil {
			return err
		}
	} else if err := report.WriteTargets(out, r.Targets); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	switch {
	case len(r.Pods) > 0:
		return report.WritePods(out, r.Pods)
	case namespace != "":
		_, err := fmt.Fprintf(out, "No elected pods in namespace %s. Those of all namespaces: spillway status -A\n", namespace)
		return err
	}
	_, err := fmt.Fprintln(out, "No elected pods.")
	return err
}
