package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	systemNamespace = "spillway-system"
	kubeconfigKey   = "kubeconfig"

	outputText = ""
	outputJSON = "json"
)

// errNotInstalled tells a person whose kubeconfig may just point to the wrong cluster.
var errNotInstalled = errors.New("this cluster does not know Targets: install Spillway in it (kubectl apply -k deploy), or name " +
	"the source cluster with --kubeconfig or --context")

// sourceFlags say which cluster is the source, with kubectl's own flags and files.
type sourceFlags struct {
	config *genericclioptions.ConfigFlags
}

func newSourceFlags(cmd *cobra.Command) *sourceFlags {
	// Only these three of kubectl's twenty: the others are in every kubeconfig.
	var kubeconfig, contextName, namespace string
	flags := &sourceFlags{&genericclioptions.ConfigFlags{KubeConfig: &kubeconfig, Context: &contextName, Namespace: &namespace}}
	flags.config.AddFlags(cmd.Flags())
	return flags
}

// client of the source cluster. It waits for no rate limit: a command makes a handful of requests.
func (f *sourceFlags) client() (client.Client, error) {
	config, err := f.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the source cluster: %w", err)
	}
	config.QPS, config.UserAgent = -1, "spillway-cli"
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), v1alpha1.AddToScheme(known)); err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: known})
	if err != nil {
		return nil, fmt.Errorf("connecting to the source cluster: %w", err)
	}
	return c, nil
}

// namespace is that of --namespace, or the context's.
func (f *sourceFlags) namespace() (string, error) {
	name, _, err := f.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig of the source cluster: %w", err)
	}
	if name == "" {
		return corev1.NamespaceDefault, nil
	}
	return name, nil
}

func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", outputText, "json, or nothing for text")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *output != outputText && *output != outputJSON {
			return fmt.Errorf("unknown output %q: use -o json, or leave it out for text", *output)
		}
		return nil
	}
}

// installed turns what is said of an API server without our kinds into what a person can do.
func installed(err error) error {
	if meta.IsNoMatchError(err) {
		return errNotInstalled
	}
	return err
}
