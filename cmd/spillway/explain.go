package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

const explainExample = `  # why a pod is where it is, or nowhere
  spillway explain pod web-7d4f
  # where would it go if a target were down, or if only cost mattered?
  spillway explain pod web-7d4f --target-down heata
  spillway explain pod web-7d4f --weights cost=1,carbon=0,capacity=0
  # where would the pods of a Deployment go that has not been submitted?
  spillway explain -f deployment.yaml`

// answerTimeout is how long the controller may take. It answers within milliseconds when it runs.
const answerTimeout = 10 * time.Second

type explainOptions struct {
	source  *sourceFlags
	output  string
	file    string
	down    []string
	weights string
	policy  string
	timeout time.Duration
}

func newExplainCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &explainOptions{timeout: answerTimeout}
	cmd := &cobra.Command{
		Use:     "explain",
		Short:   "Say why a pod is where it is, or nowhere, or where it would go",
		Example: explainExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.file == "" {
				return errors.New("say what to explain: spillway explain pod NAME, or spillway explain -f FILE")
			}
			return o.run(streams.Out, func(c client.Client, namespace string, w *v1alpha1.WhatIf) (report.Explanation, error) {
				return o.manifest(cmd.Context(), c, streams.In, namespace, w)
			})
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVarP(&o.file, "filename", "f", "", "file with the manifest of a Pod, Deployment, StatefulSet, Job, CronJob or the like; - for stdin")
	cmd.AddCommand(newExplainPodCommand(streams))
	return cmd
}

func newExplainPodCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &explainOptions{timeout: answerTimeout}
	cmd := &cobra.Command{
		Use:     "pod NAME",
		Aliases: []string{"pods", "po"},
		Short:   "Say why a pod is where it is, or nowhere: every place considered, with scores and reasons",
		Example: explainExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(streams.Out, func(c client.Client, namespace string, w *v1alpha1.WhatIf) (report.Explanation, error) {
				return o.pod(cmd.Context(), c, types.NamespacedName{Namespace: namespace, Name: args[0]}, w)
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *explainOptions) addFlags(cmd *cobra.Command) {
	o.source = newSourceFlags(cmd)
	addOutputFlag(cmd, &o.output)
	cmd.Flags().StringArrayVar(&o.down, "target-down", nil, "what if this target were down? local is all local nodes; may be repeated")
	cmd.Flags().StringVar(&o.weights, "weights", "", "what if the policy's weights were these? For example cost=1,carbon=0,capacity=0")
	cmd.Flags().StringVar(&o.policy, "policy", "", "what if it were placed by this PlacementPolicy or ClusterPlacementPolicy?")
}

func (o *explainOptions) run(out io.Writer, explain func(client.Client, string, *v1alpha1.WhatIf) (report.Explanation, error)) error {
	whatIf, err := parseWhatIf(o.down, o.weights, o.policy)
	if err != nil {
		return err
	}
	c, err := o.source.client()
	if err != nil {
		return err
	}
	namespace, err := o.source.namespace()
	if err != nil {
		return err
	}
	e, err := explain(c, namespace, whatIf)
	if err != nil {
		return err
	}
	if o.output == outputJSON {
		return report.WriteJSON(out, e)
	}
	return report.WriteExplanation(out, e)
}

// pod explains a placed pod from its record, and asks the controller about a pending one, and about what if.
func (o *explainOptions) pod(ctx context.Context, c client.Client, key types.NamespacedName, whatIf *v1alpha1.WhatIf) (report.Explanation, error) {
	var none report.Explanation
	pod := &corev1.Pod{}
	if err := c.Get(ctx, key, pod); apierrors.IsNotFound(err) {
		return none, fmt.Errorf("there is no pod %s in namespace %s: name another namespace with -n; kubectl get pods -A shows all", key.Name, key.Namespace)
	} else if err != nil {
		return none, fmt.Errorf("reading pod %s: %w", key, err)
	}
	labels, err := namespaceLabels(ctx, c, key.Namespace)
	if err != nil {
		return none, err
	}
	e := report.Explain(pod, labels, nil)
	if !e.Elected || pod.Spec.NodeName != "" && whatIf == nil {
		return e, nil
	}
	status, err := o.ask(ctx, c, key.Namespace, v1alpha1.PlacementReviewSpec{PodName: key.Name, WhatIf: whatIf})
	if err == nil {
		return e.WithAnswer(status)
	}
	if whatIf != nil || ctx.Err() != nil {
		return none, err
	}
	// What the scheduler last said is better than nothing, for whoever may only read and while no controller runs.
	e = report.Explain(pod, labels, targetNames(ctx, c))
	e.NotLive = err.Error()
	return e, nil
}

func namespaceLabels(ctx context.Context, c client.Client, name string) (map[string]string, error) {
	namespace := &corev1.Namespace{}
	if err := c.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return namespace.Labels, nil
}

// targetNames are none for whoever may not list Targets: their names only serve to tell reasons apart.
func targetNames(ctx context.Context, c client.Client) []string {
	targets := &v1alpha1.TargetList{}
	if err := c.List(ctx, targets); err != nil {
		return nil
	}
	names := make([]string, 0, len(targets.Items))
	for _, t := range targets.Items {
		names = append(names, t.Name)
	}
	return names
}
