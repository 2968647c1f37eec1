// Package deploy holds the manifests of an installation, for kustomize (kubectl apply -k deploy) and, embedded, for the
// CLI. What enters are the YAML files of the folders beside this file; what leaves are their objects, in the order in
// which they have to be applied.
package deploy

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed crds/*.yaml admission/*.yaml rbac/*.yaml controller/*.yaml target-rbac/*.yaml
var files embed.FS

// CRDs returns the definitions of Target, PlacementPolicy, ClusterPlacementPolicy and PlacementReview.
func CRDs() ([]*unstructured.Unstructured, error) { return load("crds") }

// Admission returns the policies that elect pods, and their bindings: one for each label that allows bursting. The API
// server takes a few seconds to heed them.
func Admission() ([]*unstructured.Unstructured, error) { return load("admission") }

// Install returns what the controller needs to run in the source cluster, apart from CRDs and Admission: its namespace,
// ServiceAccount, rights and Deployment.
func Install() ([]*unstructured.Unstructured, error) {
	controller, err := load("controller")
	if err != nil {
		return nil, err
	}
	rights, err := load("rbac")
	if err != nil {
		return nil, err
	}
	// The rights come after the ServiceAccount they name and before the Deployment that uses it.
	last := len(controller) - 1
	return append(append(controller[:last:last], rights...), controller[last]), nil
}

// TargetRBAC returns the rights that the user of a Target's kubeconfig needs in the target, for the whole cluster, and a
// ServiceAccount that has them. target-rbac/namespaced has the variant for a single namespace.
func TargetRBAC() ([]*unstructured.Unstructured, error) { return load("target-rbac") }

// load returns the objects of a folder in the order of its kustomization.yaml.
func load(folder string) ([]*unstructured.Unstructured, error) {
	kustomization, err := decode(path.Join(folder, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	names, _, err := unstructured.NestedStringSlice(kustomization[0].Object, "resources")
	if err != nil {
		return nil, fmt.Errorf("reading resources of %s/kustomization.yaml: %w", folder, err)
	}
	var objects []*unstructured.Unstructured
	for _, name := range names {
		found, err := decode(path.Join(folder, name))
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// decode returns the objects of one file; documents with nothing but comments are none.
func decode(name string) ([]*unstructured.Unstructured, error) {
	raw, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	var objects []*unstructured.Unstructured
	for {
		var content map[string]any
		err := decoder.Decode(&content)
		switch {
		case errors.Is(err, io.EOF) && len(objects) == 0:
			return nil, fmt.Errorf("manifest %s is empty", name)
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("decoding manifest %s: %w", name, err)
		case len(content) > 0:
			objects = append(objects, &unstructured.Unstructured{Object: content})
		}
	}
}
