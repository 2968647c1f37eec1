package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

type explainOptions struct {
	source *sourceFlags
	output string
}

func newExplainCommand(streams genericiooptions.IOStreams) *cobra.Command {
	cmd := &cobra.Command{Use: "explain", Short: "Say why a pod is where it is, or nowhere"}
	o := &explainOptions{}
	pod := &cobra.Command{
		Use:     "pod NAME",
		Aliases: []string{"pods", "po"},
		Short:   "Say why a pod is where it is, or nowhere: every place considered, with scores and reasons",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), streams.Out, args[0]) },
	}
	o.source = newSourceFlags(pod)
	addOutputFlag(pod, &o.output)
	cmd.AddCommand(pod)
	return cmd
}

func (o *explainOptions) run(ctx context.Context, out io.Writer, name string) error {
	c, err := o.source.client()
	if err != nil {
		return err
	}
	namespace, err := o.source.namespace()
	if err != nil {
		return err
	}
	e, err := explain(ctx, c, types.NamespacedName{Namespace: namespace, Name: name})
	if err != nil {
		return err
	}
	if o.output == outputJSON {
		return report.WriteJSON(out, e)
	}
	return report.WriteExplanation(out, e)
}

func explain(ctx context.Context, c client.Client, key types.NamespacedName) (report.Explanation, error) {
	var none report.Explanation
	pod, namespace, targets := &corev1.Pod{}, &corev1.Namespace{}, &v1alpha1.TargetList{}
	if err := c.Get(ctx, key, pod); apierrors.IsNotFound(err) {
		return none, fmt.Errorf("there is no pod %s in namespace %s: name another namespace with -n; kubectl get pods -A shows all", key.Name, key.Namespace)
	} else if err != nil {
		return none, fmt.Errorf("reading pod %s: %w", key, err)
	}
	if err := c.Get(ctx, types.NamespacedName{Name: key.Namespace}, namespace); err != nil {
		return none, fmt.Errorf("reading namespace %s: %w", key.Namespace, err)
	}
	if err := c.List(ctx, targets); err != nil {
		return none, fmt.Errorf("listing Targets: %w", installed(err))
	}
	names := make([]string, 0, len(targets.Items))
	for _, t := range targets.Items {
		names = append(names, t.Name)
	}
	return report.Explain(pod, namespace.Labels, names), nil
}
