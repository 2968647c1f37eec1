package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	joinOwner    = client.FieldOwner("spillway-join")
	pollInterval = 500 * time.Millisecond
)

type joinOptions struct {
	source  *sourceFlags
	target  joinTarget
	dryRun  bool
	timeout time.Duration
}

func newJoinCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &joinOptions{}
	cmd := &cobra.Command{
		Use:   "join NAME --kubeconfig-of FILE",
		Short: "Make another cluster a target of this one",
		Long: "Store one context of a kubeconfig as a Secret in the source cluster and describe the cluster by a Target. Nothing is " +
			"installed in the target. Joining again under the same name replaces both.",
		Example: "  spillway join heata --kubeconfig-of heata.kubeconfig --price \"GBP 0.02 0.003\" --grams-per-kwh 120 --label topology.kubernetes.io/region=uk",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.target.name = args[0]
			return o.run(cmd.Context(), streams)
		},
	}
	o.source = newSourceFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.target.file, "kubeconfig-of", "", "kubeconfig of the cluster to join")
	f.StringVar(&o.target.context, "context-of", "", "its context to use (default: its current-context)")
	f.StringVar(&o.target.price, "price", "", "currency, price of a core hour and, if memory costs extra, of a GiB hour: \"GBP 0.02 0.003\"")
	f.StringVar(&o.target.gramsPerKWh, "grams-per-kwh", "", "carbon intensity of its electricity, in grams of CO2e per kWh")
	f.StringToStringVar(&o.target.labels, "label", nil, "label of its virtual node, such as topology.kubernetes.io/region=uk; may be repeated")
	f.BoolVar(&o.target.createNamespaces, "create-namespaces", false, "create namespaces there that pods need and it lacks")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the YAML, with the credentials, instead of applying it")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait until it is Ready")
	_ = cmd.MarkFlagRequired("kubeconfig-of") // the flag exists
	return cmd
}

func (o *joinOptions) run(ctx context.Context, streams genericiooptions.IOStreams) error {
	objects, err := o.target.objects(time.Now())
	if err != nil {
		return err
	}
	if o.dryRun {
		return writeYAML(streams.Out, objects)
	}
	c, err := o.source.client()
	if err != nil {
		return err
	}
	if err := applyAll(ctx, c, objects, streams.ErrOut); err != nil {
		return err
	}
	target, err := waitReady(ctx, c, o.target.name, o.timeout, streams.ErrOut)
	if err != nil {
		return err
	}
	return writeJoined(streams.Out, target)
}

// applyAll asks for the Target, which is last, on trial first: where it is refused, no Secret is left behind.
func applyAll(ctx context.Context, c client.Client, objects []*unstructured.Unstructured, progress io.Writer) error {
	last := objects[len(objects)-1]
	if err := apply(ctx, c, last.DeepCopy(), client.DryRunAll); err != nil {
		return err
	}
	for _, object := range objects {
		if err := apply(ctx, c, object); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(progress, "%s %s applied\n", object.GetKind(), object.GetName())
	}
	return nil
}

func apply(ctx context.Context, c client.Client, object *unstructured.Unstructured, options ...client.ApplyOption) error {
	options = append(options, joinOwner, client.ForceOwnership)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
		return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), installed(err))
	}
	return nil
}

// waitReady says each new reason why the target is not Ready yet, once.
func waitReady(ctx context.Context, c client.Client, name string, timeout time.Duration, progress io.Writer) (*v1alpha1.Target, error) {
	target, last := &v1alpha1.Target{}, "the controller has not looked at it: see whether it runs with spillway check"
	err := wait.PollUntilContextTimeout(ctx, pollInterval, timeout, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, types.NamespacedName{Name: name}, target); err != nil {
			return false, fmt.Errorf("reading Target %s: %w", name, err)
		}
		ready := meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration < target.Generation {
			return false, nil
		}
		if message := ready.Reason + ": " + ready.Message; ready.Status != metav1.ConditionTrue && message != last {
			last = message
			_, _ = fmt.Fprintf(progress, "waiting: %s\n", message)
		}
		return ready.Status == metav1.ConditionTrue, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil, fmt.Errorf("target %s is joined and not Ready after %s: %s", name, timeout, last)
	}
	return target, err
}

func writeJoined(out io.Writer, target *v1alpha1.Target) error {
	cpu, memory := target.Status.Free.Cpu(), target.Status.Free.Memory()
	_, err := fmt.Fprintf(out, "Target %s is Ready: %d nodes, %s CPUs and %s of memory free. Next:\n\n"+
		"  kubectl label namespace NAMESPACE %s=%s   # whose elected pods may go there\n"+
		"  spillway status -A\n\nUndo it with: spillway unjoin %s\n",
		target.Name, target.Status.Nodes, cpu, memory, v1alpha1.LabelBurst, v1alpha1.BurstEnabled, target.Name)
	return err
}

func writeYAML(out io.Writer, objects []*unstructured.Unstructured) error {
	for i, object := range objects {
		encoded, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", object.GetKind(), err)
		}
		separator := "---\n"
		if i == 0 {
			separator = ""
		}
		if _, err := fmt.Fprintf(out, "%s%s", separator, encoded); err != nil {
			return err
		}
	}
	return nil
}
