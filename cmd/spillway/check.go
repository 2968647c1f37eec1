package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/deploy"
	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

type checkOptions struct {
	source *sourceFlags
	output string
}

func newCheckCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &checkOptions{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the installation and every target; exit with 1 when something is not well",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), streams.Out) },
	}
	o.source = newSourceFlags(cmd)
	addOutputFlag(cmd, &o.output)
	return cmd
}

func (o *checkOptions) run(ctx context.Context, out io.Writer) error {
	c, err := o.source.client()
	if err != nil {
		return err
	}
	findings, err := check(ctx, c, time.Now())
	if err != nil {
		return err
	}
	write := report.WriteFindings
	if o.output == outputJSON {
		write = func(out io.Writer, findings []report.Finding) error { return report.WriteJSON(out, findings) }
	}
	if err := write(out, findings); err != nil {
		return err
	}
	if report.Failed(findings) > 0 {
		return errSilent // each failure has been printed with its remedy
	}
	return nil
}

// check goes from what everything else stands on to what stands on it, and ends where the next step would only repeat.
func check(ctx context.Context, c client.Client, now time.Time) ([]report.Finding, error) {
	findings, err := checkObjects(ctx, c)
	if err != nil {
		return nil, err
	}
	targets := &v1alpha1.TargetList{}
	if err := c.List(ctx, targets); err != nil {
		if report.Failed(findings) > 0 {
			return findings, nil // the missing CRD has been found already
		}
		return nil, fmt.Errorf("listing Targets: %w", installed(err))
	}
	leases := &coordinationv1.LeaseList{}
	if err := c.List(ctx, leases, client.InNamespace(corev1.NamespaceNodeLease)); err != nil {
		return nil, fmt.Errorf("listing leases of nodes: %w", err)
	}
	findings = append(findings, report.CheckController(targets.Items, leases.Items, now))
	for i := range targets.Items {
		findings = append(findings, report.CheckTarget(&targets.Items[i])...)
	}
	policies, err := checkPolicies(ctx, c)
	return append(findings, policies...), err
}

// checkObjects looks for what an installation is made of, by the same manifests that install it.
func checkObjects(ctx context.Context, c client.Client) ([]report.Finding, error) {
	crds, err := deploy.CRDs()
	if err != nil {
		return nil, err
	}
	admission, err := deploy.Admission()
	if err != nil {
		return nil, err
	}
	var findings []report.Finding
	for _, want := range crds {
		err := c.Get(ctx, client.ObjectKeyFromObject(want), want)
		findings = append(findings, report.CheckCRD(want.GetName(), conditionsOf(want), err))
	}
	for _, want := range admission {
		err := c.Get(ctx, client.ObjectKeyFromObject(want), want)
		findings = append(findings, report.CheckObject(want.GetKind(), want.GetName(), err))
	}
	return findings, nil
}

func checkPolicies(ctx context.Context, c client.Client) ([]report.Finding, error) {
	cluster, namespaced := &v1alpha1.ClusterPlacementPolicyList{}, &v1alpha1.PlacementPolicyList{}
	for _, list := range []client.ObjectList{cluster, namespaced} {
		if err := c.List(ctx, list); err != nil {
			return nil, fmt.Errorf("listing placement policies: %w", err)
		}
	}
	var findings []report.Finding
	for _, p := range cluster.Items {
		findings = append(findings, report.CheckPolicy("clusterplacementpolicy "+p.Name, p.Status.Conditions))
	}
	for _, p := range namespaced.Items {
		findings = append(findings, report.CheckPolicy("placementpolicy "+p.Name+" -n "+p.Namespace, p.Status.Conditions))
	}
	return findings, nil
}

// conditionsOf reads conditions of any object. Those of a CRD are like metav1's, as far as a person reads them.
func conditionsOf(o *unstructured.Unstructured) []metav1.Condition {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	var conditions []metav1.Condition
	_ = json.Unmarshal(encoded, &conditions) // what cannot be read is reported as missing
	return conditions
}
