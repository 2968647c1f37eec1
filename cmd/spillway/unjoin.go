package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

type unjoinOptions struct {
	source  *sourceFlags
	timeout time.Duration
}

func newUnjoinCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &unjoinOptions{}
	cmd := &cobra.Command{
		Use:   "unjoin NAME",
		Short: "Take a target away: its pods are evicted, so that their controllers make new ones elsewhere",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), streams, args[0]) },
	}
	o.source = newSourceFlags(cmd)
	cmd.Flags().DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until its pods are gone")
	return cmd
}

func (o *unjoinOptions) run(ctx context.Context, streams genericiooptions.IOStreams, name string) error {
	c, err := o.source.client()
	if err != nil {
		return err
	}
	target := &v1alpha1.Target{}
	if err := c.Get(ctx, types.NamespacedName{Name: name}, target); apierrors.IsNotFound(err) {
		_, err = fmt.Fprintf(streams.Out, "There is no target %s: nothing to do. kubectl get targets shows all.\n", name)
		return err
	} else if err != nil {
		return fmt.Errorf("reading Target %s: %w", name, installed(err))
	}
	if err := c.Delete(ctx, target); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Target %s: %w", name, err)
	}
	if err := o.waitGone(ctx, c, name, streams.ErrOut); err != nil {
		return err
	}
	if err := o.deleteSecret(ctx, c, target.Spec.KubeconfigSecretRef, streams.ErrOut); err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "Target %s is gone.\n", name)
	return err
}

// waitGone says what the drain waits for, each time that changes.
func (o *unjoinOptions) waitGone(ctx context.Context, c client.Client, name string, progress io.Writer) error {
	last := ""
	err := wait.PollUntilContextTimeout(ctx, pollInterval, o.timeout, true, func(ctx context.Context) (bool, error) {
		target := &v1alpha1.Target{}
		if err := c.Get(ctx, types.NamespacedName{Name: name}, target); err != nil {
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		pods, err := podsOn(ctx, c, name)
		if err != nil {
			return false, err
		}
		if now := drainState(target, pods); now != last {
			last = now
			_, _ = fmt.Fprintf(progress, "waiting: %s\n", now)
		}
		return false, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("target %s is not gone after %s: %s. It goes on by itself; a PodDisruptionBudget may hold pods "+
			"(kubectl get pdb -A), and a controller that does not run drains nothing (spillway check)", name, o.timeout, last)
	}
	return err
}

// deleteSecret comes last: the drain needs the credentials. A Secret that join did not make is somebody else's.
func (o *unjoinOptions) deleteSecret(ctx context.Context, c client.Client, ref *v1alpha1.KubeconfigSecretRef, progress io.Writer) error {
	if ref == nil {
		return nil
	}
	secret := &corev1.Secret{}
	err := c.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, secret)
	if err == nil && secret.Labels[managedByLabel] != managedByJoin {
		_, err = fmt.Fprintf(progress, "Secret %s/%s stays: spillway join did not make it\n", ref.Namespace, ref.Name)
		return err
	}
	if err == nil {
		err = c.Delete(ctx, secret)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return nil
}

// podsOn returns the source pods that are still bound to a target.
func podsOn(ctx context.Context, c client.Client, name string) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := c.List(ctx, pods, client.MatchingFields{"spec.nodeName": v1alpha1.VirtualNodeName(name)})
	if err != nil {
		return nil, fmt.Errorf("listing pods in target %s: %w", name, err)
	}
	return pods.Items, nil
}

func drainState(target *v1alpha1.Target, pods []corev1.Pod) string {
	if len(pods) > 0 {
		return fmt.Sprintf("%d pods are still there, the first is %s/%s", len(pods), pods[0].Namespace, pods[0].Name)
	}
	ready := meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return "the controller has not seen yet that it shall go"
	}
	return ready.Message
}
