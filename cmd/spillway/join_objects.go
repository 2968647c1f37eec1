package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// The label by which unjoin knows a Secret that join made.
const (
	managedByLabel = "app.kubernetes.io/managed-by"
	managedByJoin  = "spillway-join"
)

// joinTarget is what a person says of a cluster on the command line.
type joinTarget struct {
	name, file, context string
	price, gramsPerKWh  string
	labels              map[string]string
	createNamespaces    bool
}

// objects returns the Namespace, Secret and Target. They are made field by field, because in a typed spec every field that
// nobody set would be applied too, and override what an administrator wrote.
func (j joinTarget) objects(now time.Time) ([]*unstructured.Unstructured, error) {
	kubeconfig, err := onlyContext(j.file, j.context, now)
	if err != nil {
		return nil, err
	}
	secret := j.name + "-kubeconfig"
	spec := map[string]any{
		"kubeconfigSecretRef": map[string]any{"namespace": systemNamespace, "name": secret, "key": kubeconfigKey},
		"namespaces":          map[string]any{"mapping": string(v1alpha1.MappingSame), "create": j.createNamespaces},
	}
	if j.price != "" {
		if spec["price"], err = parsePrice(j.price); err != nil {
			return nil, err
		}
	}
	if j.gramsPerKWh != "" {
		spec["carbon"] = map[string]any{"gramsPerKWh": j.gramsPerKWh}
	}
	if len(j.labels) > 0 {
		labels := map[string]any{}
		for key, value := range j.labels {
			labels[key] = value
		}
		spec["labels"] = labels
	}
	return []*unstructured.Unstructured{
		manifest("v1", "Namespace", "", systemNamespace, nil),
		manifest("v1", "Secret", systemNamespace, secret, map[string]any{"type": "Opaque",
			"data": map[string]any{kubeconfigKey: base64.StdEncoding.EncodeToString(kubeconfig)}}),
		manifest(v1alpha1.GroupVersion.String(), "Target", "", j.name, map[string]any{"spec": spec}),
	}, nil
}

// onlyContext reduces a kubeconfig to one context with everything embedded, and refuses what the controller would refuse.
func onlyContext(file, contextName string, now time.Time) ([]byte, error) {
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig to join: %w", err)
	}
	if contextName != "" {
		config.CurrentContext = contextName
	}
	if _, ok := config.Contexts[config.CurrentContext]; !ok {
		return nil, fmt.Errorf("%s has no context %q: choose with --context-of one of: %s", file, config.CurrentContext,
			strings.Join(slices.Sorted(maps.Keys(config.Contexts)), ", "))
	}
	if err := errors.Join(clientcmdapi.MinifyConfig(config), clientcmdapi.FlattenConfig(config)); err != nil {
		return nil, fmt.Errorf("reducing %s to context %s: %w", file, config.CurrentContext, err)
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("encoding the kubeconfig to join: %w", err)
	}
	if _, err := target.ParseKubeconfig(data, "", now); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return data, nil
}

// parsePrice reads "GBP 0.02" or "GBP 0.02 0.003". What is negative or no currency is refused by the API server, in its words.
func parsePrice(s string) (map[string]any, error) {
	fields := strings.Fields(s)
	if len(fields) < 2 || len(fields) > 3 {
		return nil, fmt.Errorf("--price %q: write a currency, the price of a core hour and, if you like, of a GiB hour: \"GBP 0.02 0.003\"", s)
	}
	for _, amount := range fields[1:] {
		if _, err := resource.ParseQuantity(amount); err != nil {
			return nil, fmt.Errorf("--price %q: %q is not a number: %w", s, amount, err)
		}
	}
	price := map[string]any{"currency": fields[0], "cpuCoreHour": fields[1]}
	if len(fields) == 3 {
		price["memoryGiBHour"] = fields[2]
	}
	return price, nil
}

func manifest(apiVersion, kind, namespace, name string, content map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: content}
	if content == nil {
		o.Object = map[string]any{}
	}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	if kind != "Namespace" { // others may have made that one
		o.SetLabels(map[string]string{managedByLabel: managedByJoin})
	}
	return o
}
