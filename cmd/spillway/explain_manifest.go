package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

const (
	noWorkload    = "%s has no workload: give the manifest of a Pod, Deployment, StatefulSet, Job, CronJob or another kind with a pod template in spec.template"
	manyWorkloads = "%s has %d workloads (%s): give one at a time"
	noDaemonSet   = "%s: a DaemonSet's pods run on every node of the source cluster and never leave it"
	twoPlaces     = "%s names namespace %s, and -n says %s: leave one of them out"
	namesNode     = "%s names its node, %s, so nothing is decided: leave spec.nodeName out"
	refusedPod    = "the source cluster would refuse a pod of %s: %w"
)

// workload is what has a pod template.
type workload struct {
	kind, name, namespace string
	template              map[string]any // with metadata and spec
}

func (w workload) String() string { return strings.ToLower(w.kind) + "/" + w.name }

// manifest explains where the pods of a workload would go that has not been submitted. The API server is asked to create
// one, in a dry run: what admission and its defaults make of a template, nobody else knows.
func (o *explainOptions) manifest(ctx context.Context, c client.Client, in io.Reader, namespace string, whatIf *v1alpha1.WhatIf) (report.Explanation, error) {
	var none report.Explanation
	w, err := readWorkload(o.file, in)
	if err != nil {
		return none, err
	}
	if w.namespace, err = o.oneNamespace(w.namespace, namespace); err != nil {
		return none, err
	}
	if node, _, _ := unstructured.NestedString(w.template, "spec", "nodeName"); node != "" {
		return none, fmt.Errorf(namesNode, w, node)
	}
	pod := w.pod()
	if err := c.Create(ctx, pod, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
		return none, fmt.Errorf(refusedPod, w, err)
	}
	if pod.GetLabels()[v1alpha1.LabelElected] != v1alpha1.ElectedTrue {
		return notElected(ctx, c, w, pod)
	}
	template, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"name": w.name, "labels": pod.GetLabels(), "annotations": pod.GetAnnotations()},
		"spec":     pod.Object["spec"],
	})
	if err != nil {
		return none, fmt.Errorf("encoding the template of %s: %w", w, err)
	}
	status, err := o.ask(ctx, c, w.namespace, v1alpha1.PlacementReviewSpec{Template: &runtime.RawExtension{Raw: template}, WhatIf: whatIf})
	if err != nil {
		return none, err
	}
	return report.Explanation{Kind: w.kind, Namespace: w.namespace, Name: w.name}.WithAnswer(status)
}

func notElected(ctx context.Context, c client.Client, w workload, pod *unstructured.Unstructured) (report.Explanation, error) {
	labels, err := namespaceLabels(ctx, c, w.namespace)
	if err != nil {
		return report.Explanation{}, err
	}
	typed := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(pod.Object, typed); err != nil {
		return report.Explanation{}, fmt.Errorf("reading the pod of %s: %w", w, err)
	}
	return report.NotSubmitted(w.kind, w.name, typed, labels), nil
}

// oneNamespace is the manifest's, else that of -n or of the context; as with kubectl the two may not differ.
func (o *explainOptions) oneNamespace(manifest, flag string) (string, error) {
	given := *o.source.config.Namespace != ""
	switch {
	case manifest == "":
		return flag, nil
	case given && manifest != flag:
		return "", fmt.Errorf(twoPlaces, o.file, manifest, flag)
	}
	return manifest, nil
}

// pod is one of the workload's, under a name that no other has.
func (w workload) pod() *unstructured.Unstructured {
	metadata := map[string]any{"namespace": w.namespace, "generateName": w.name + "-"}
	for _, kept := range []string{"labels", "annotations"} { // a pod that was read back has more, which no new one may have
		if field, ok, _ := unstructured.NestedMap(w.template, "metadata", kept); ok {
			metadata[kept] = field
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": w.template["spec"]}}
}

// readWorkload finds the one workload of a file, among whatever else is in it.
func readWorkload(file string, in io.Reader) (workload, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return workload{}, fmt.Errorf("reading the manifest: %w", err)
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	objects, err := decodeAll(in)
	if err != nil {
		return workload{}, fmt.Errorf("%s is no manifest: %w", file, err)
	}
	var found []workload
	var names []string
	for _, object := range objects {
		if object.GetKind() == "DaemonSet" {
			return workload{}, fmt.Errorf(noDaemonSet, file)
		}
		if w, ok := workloadOf(object); ok {
			found, names = append(found, w), append(names, w.String())
		}
	}
	switch len(found) {
	case 0:
		return workload{}, fmt.Errorf(noWorkload, file)
	case 1:
		return found[0], nil
	}
	return workload{}, fmt.Errorf(manyWorkloads, file, len(found), strings.Join(names, ", "))
}

// decodeAll reads every document, and every item of a List.
func decodeAll(in io.Reader) ([]unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(in, 4096)
	var objects []unstructured.Unstructured
	for {
		var content map[string]any
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object := unstructured.Unstructured{Object: content}
		if !object.IsList() {
			objects = append(objects, object)
			continue
		}
		list, err := object.ToList()
		if err != nil {
			return nil, err
		}
		objects = append(objects, list.Items...)
	}
}

// workloadOf takes every kind whose spec.template is a pod's, so that kinds which we do not know work too.
func workloadOf(object unstructured.Unstructured) (workload, bool) {
	w := workload{kind: object.GetKind(), name: object.GetName(), namespace: object.GetNamespace()}
	if w.name == "" {
		w.name = strings.TrimSuffix(object.GetGenerateName(), "-")
	}
	path := []string{"spec", "template"}
	switch w.kind {
	case "Pod":
		w.template = object.Object
		return w, true
	case "CronJob":
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	template, ok, err := unstructured.NestedMap(object.Object, path...)
	if _, has, _ := unstructured.NestedSlice(template, "spec", "containers"); !ok || err != nil || !has {
		return workload{}, false
	}
	w.template = template
	claimed(template, object, w.name)
	return w, true
}

// claimed adds the volumes that a StatefulSet makes of its claim templates: they decide where its pods may go.
func claimed(template map[string]any, object unstructured.Unstructured, name string) {
	claims, _, _ := unstructured.NestedSlice(object.Object, "spec", "volumeClaimTemplates")
	volumes, _, _ := unstructured.NestedSlice(template, "spec", "volumes")
	for _, claim := range claims {
		fields, ok := claim.(map[string]any)
		if !ok {
			continue
		}
		claimName, _, _ := unstructured.NestedString(fields, "metadata", "name")
		volumes = append(volumes, map[string]any{"name": claimName,
			"persistentVolumeClaim": map[string]any{"claimName": claimName + "-" + name + "-0"}})
	}
	if len(claims) > 0 {
		_ = unstructured.SetNestedSlice(template, volumes, "spec", "volumes") // spec is a map, or it had no containers
	}
}
