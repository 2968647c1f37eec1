package deploy

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestEveryManifestIsAnObjectAndListedInItsKustomization(t *testing.T) {
	tests := map[string]func() ([]*unstructured.Unstructured, error){
		"crds": CRDs, "admission": Admission, "rbac": Install, "controller": Install, "target-rbac": TargetRBAC,
	}
	for folder, objects := range tests {
		t.Run(folder, func(t *testing.T) {
			got, err := objects()
			require.NoError(t, err)
			for _, object := range got {
				assert.NotEmpty(t, object.GetAPIVersion())
				assert.NotEmpty(t, object.GetKind())
				assert.NotEmpty(t, object.GetName())
			}
			assert.Subset(t, ids(got), ids(inFolder(t, folder)), "a file is missing from %s/kustomization.yaml", folder)
		})
	}
}

func TestInstallAppliesWhatLaterObjectsNeedFirst(t *testing.T) {
	objects, err := Install()
	require.NoError(t, err)
	got := ids(objects)
	assert.Equal(t, "Namespace/spillway-system", got[0])
	assert.Equal(t, "ServiceAccount/spillway-controller", got[1])
	assert.Equal(t, "Deployment/spillway-controller", got[len(got)-1])
	assert.Equal(t, 1, strings.Count(strings.Join(got, " "), "Deployment/"))
}

func TestEveryCRDHasThePrinterColumnsThatUsersRead(t *testing.T) {
	want := map[string][]string{
		"Target": {
			"Ready", "Nodes", "Free CPU", "Free Memory", "Price/core-h", "gCO2e/kWh", "Pods", "Reason", "Version", "Age",
		},
		"PlacementPolicy":        {"Mode", "Valid", "Effective", "Age"},
		"ClusterPlacementPolicy": {"Mode", "Valid", "Effective", "Age"},
		"PlacementReview":        {"Pod", "Winner", "Answer", "Age"},
	}
	got := map[string][]string{}
	objects, err := CRDs()
	require.NoError(t, err)
	for _, object := range objects {
		crd := convert[apiextensionsv1.CustomResourceDefinition](t, object)
		for _, column := range crd.Spec.Versions[0].AdditionalPrinterColumns {
			got[crd.Spec.Names.Kind] = append(got[crd.Spec.Names.Kind], column.Name)
		}
	}
	assert.Empty(t, cmp.Diff(want, got))
}

// inFolder returns the objects of all files of a folder, listed or not.
func inFolder(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	names, err := fs.Glob(files, path.Join(folder, "*.yaml"))
	require.NoError(t, err)
	var objects []*unstructured.Unstructured
	for _, name := range slices.DeleteFunc(names, func(n string) bool { return path.Base(n) == "kustomization.yaml" }) {
		found, err := decode(name)
		require.NoError(t, err)
		objects = append(objects, found...)
	}
	return objects
}

func ids(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, object := range objects {
		all = append(all, object.GetKind()+"/"+object.GetName())
	}
	return all
}

// convert fails on fields that the type does not have: the API server would drop them silently.
func convert[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true))
	return typed
}
