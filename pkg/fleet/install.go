package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/deploy"
	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	systemNamespace = "spillway-system"
	kubeconfigKey   = "kubeconfig"
	fieldOwner      = client.FieldOwner("spillway-fleet")

	installTimeout = 30 * time.Second
	targetTimeout  = 60 * time.Second
)

// installAPI makes a source cluster know Targets and policies, and elect pods.
func (f *Fleet) installAPI(ctx context.Context, source string) error {
	c, err := f.client(source)
	if err != nil {
		return err
	}
	crds, err := deploy.CRDs()
	if err != nil {
		return err
	}
	admission, err := deploy.Admission()
	if err != nil {
		return err
	}
	namespace := object("v1", "Namespace", "", systemNamespace, nil)
	if err := apply(ctx, c, slices.Concat(crds, []*unstructured.Unstructured{namespace}, admission)...); err != nil {
		return err
	}
	for _, crd := range crds {
		err := poll(ctx, installTimeout, func(ctx context.Context) error { return established(ctx, c, crd.GetName()) })
		if err != nil {
			return err
		}
	}
	return nil
}

func established(ctx context.Context, c client.Client, name string) error {
	crd := object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name, nil)
	if err := c.Get(ctx, types.NamespacedName{Name: name}, crd); err != nil {
		return fmt.Errorf("reading CRD %s: %w", name, err)
	}
	if status, message := condition(crd, "Established"); status != "True" {
		return fmt.Errorf("CRD %s is not established: %s", name, message)
	}
	return nil
}

// installTargets creates, in a source cluster, its own SelfTarget and a Secret and a Target for each target cluster.
func (f *Fleet) installTargets(ctx context.Context, source string) error {
	c, err := f.client(source)
	if err != nil {
		return err
	}
	for _, cluster := range f.state.Config.Clusters {
		if !f.seenBy(source, cluster) {
			continue
		}
		objects, err := f.targetObjects(cluster)
		if err != nil {
			return err
		}
		// The API server serves a new kind a moment after it called it established.
		err = poll(ctx, installTimeout, func(ctx context.Context) error { return apply(ctx, c, objects...) })
		if err != nil {
			return err
		}
	}
	return nil
}

// seenBy tells whether a source has a Target for the cluster: for itself and for clusters that are no sources.
func (f *Fleet) seenBy(source string, cluster Cluster) bool {
	return cluster.Target != nil && (!cluster.Source || cluster.Name == source)
}

func (f *Fleet) targetObjects(cluster Cluster) ([]*unstructured.Unstructured, error) {
	spec := cluster.Target.DeepCopy()
	if cluster.Source {
		target, err := targetObject(SelfTarget, spec)
		return []*unstructured.Unstructured{target}, err
	}
	kubeconfig, err := os.ReadFile(f.Kubeconfig(cluster.Name))
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of target %s: %w", cluster.Name, err)
	}
	ref := &v1alpha1.KubeconfigSecretRef{Namespace: systemNamespace, Name: cluster.Name + "-kubeconfig", Key: kubeconfigKey}
	secret := object("v1", "Secret", ref.Namespace, ref.Name, map[string]any{
		"type": string(corev1.SecretTypeOpaque), "stringData": map[string]any{ref.Key: string(kubeconfig)},
	})
	spec.KubeconfigSecretRef = ref
	target, err := targetObject(cluster.Name, spec)
	return []*unstructured.Unstructured{secret, target}, err
}

func targetObject(name string, spec *v1alpha1.TargetSpec) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		return nil, fmt.Errorf("encoding Target %s: %w", name, err)
	}
	return object(v1alpha1.GroupVersion.String(), "Target", "", name, map[string]any{"spec": content}), nil
}

// waitTargets waits until every Target of a source is Ready, and says of those that are not what they say themselves.
func (f *Fleet) waitTargets(ctx context.Context, source string) error {
	c, err := f.client(source)
	if err != nil {
		return err
	}
	return poll(ctx, targetTimeout, func(ctx context.Context) error {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TargetList"))
		if err := c.List(ctx, list); err != nil {
			return fmt.Errorf("listing Targets: %w", err)
		}
		var errs []error
		for _, target := range list.Items {
			if status, message := condition(&target, v1alpha1.ConditionReady); status != "True" {
				errs = append(errs, fmt.Errorf("target %s is not ready: %s", target.GetName(), message))
			}
		}
		return errors.Join(errs...)
	})
}

func (f *Fleet) client(cluster string) (client.Client, error) {
	config, err := f.RESTConfig(cluster)
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("making a client of cluster %s: %w", cluster, err)
	}
	return c, nil
}

func apply(ctx context.Context, c client.Client, objects ...*unstructured.Unstructured) error {
	for _, o := range objects {
		// A copy: the client writes the server's answer into what it applies.
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), fieldOwner, client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("applying %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

func object(apiVersion, kind, namespace, name string, content map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: content}
	if content == nil {
		o.Object = map[string]any{}
	}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// condition returns the status of a condition, and its reason and message as one text.
func condition(o *unstructured.Unstructured, kind string) (status, text string) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == kind {
			return fmt.Sprint(c["status"]), fmt.Sprintf("%v: %v", c["reason"], c["message"])
		}
	}
	return "", "it has no condition " + kind + " yet"
}
