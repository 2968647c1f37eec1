package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestJoinShipsOneContextAndNothingElse(t *testing.T) {
	file := kubeconfigFile(t, func(c *clientcmdapi.Config, dir string) {
		ca := filepath.Join(dir, "ca.crt")
		require.NoError(t, os.WriteFile(ca, []byte("a certificate"), 0o600))
		c.Clusters["heata"].CertificateAuthority, c.Clusters["heata"].InsecureSkipTLSVerify = ca, false
		c.AuthInfos["other"] = &clientcmdapi.AuthInfo{Token: "a secret of another cluster"}
		c.Clusters["other"] = &clientcmdapi.Cluster{Server: "https://other.example"}
		c.Contexts["other"] = &clientcmdapi.Context{Cluster: "other", AuthInfo: "other"}
	})
	data, err := onlyContext(file, "", time.Now())
	require.NoError(t, err)
	assert.NotContains(t, string(data), "other")
	got, err := clientcmd.Load(data)
	require.NoError(t, err)
	assert.Equal(t, "a certificate", string(got.Clusters["heata"].CertificateAuthorityData), "files are embedded")
	assert.Empty(t, got.Clusters["heata"].CertificateAuthority)

	data, err = onlyContext(file, "other", time.Now())
	require.NoError(t, err)
	assert.NotContains(t, string(data), "heata")
}

func TestJoinRefusesKubeconfigs(t *testing.T) {
	tests := map[string]struct {
		change  func(*clientcmdapi.Config, string)
		context string
		want    string
	}{
		"that run a program": {func(c *clientcmdapi.Config, _ string) {
			c.AuthInfos["heata"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: "aws", APIVersion: "client.authentication.k8s.io/v1",
				InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
		}, "", `runs the program "aws"`},
		"with an auth provider": {func(c *clientcmdapi.Config, _ string) {
			c.AuthInfos["heata"] = &clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "oidc"}}
		}, "", `auth provider "oidc"`},
		"without the context": {nil, "cloud", `has no context "cloud": choose with --context-of one of: heata`},
		"whose files are missing": {func(c *clientcmdapi.Config, dir string) {
			c.AuthInfos["heata"].ClientCertificate = filepath.Join(dir, "missing.crt")
		}, "", "missing.crt"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := onlyContext(kubeconfigFile(t, test.change), test.context, time.Now())
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestJoinAppliesOnlyWhatWasSaid(t *testing.T) {
	file := kubeconfigFile(t, nil)
	kubeconfig, err := onlyContext(file, "", time.Now())
	require.NoError(t, err)
	objects, err := joinTarget{name: "heata", file: file, price: "GBP 0.02", labels: map[string]string{"topology.kubernetes.io/region": "uk"}}.objects(time.Now())
	require.NoError(t, err)
	require.Len(t, objects, 3)
	data, _, _ := unstructured.NestedString(objects[1].Object, "data", "kubeconfig")
	assert.Equal(t, base64.StdEncoding.EncodeToString(kubeconfig), data)
	want := map[string]any{
		"kubeconfigSecretRef": map[string]any{"namespace": "spillway-system", "name": "heata-kubeconfig", "key": "kubeconfig"},
		"namespaces":          map[string]any{"mapping": "Same", "create": false},
		"price":               map[string]any{"currency": "GBP", "cpuCoreHour": "0.02"},
		"labels":              map[string]any{"topology.kubernetes.io/region": "uk"},
	}
	if diff := cmp.Diff(want, objects[2].Object["spec"]); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestParsePrice(t *testing.T) {
	tests := map[string]struct {
		in      string
		want    map[string]any
		wantErr string
	}{
		"cores alone":      {in: "GBP 0.02", want: map[string]any{"currency": "GBP", "cpuCoreHour": "0.02"}},
		"cores and memory": {in: "GBP 20m 3m", want: map[string]any{"currency": "GBP", "cpuCoreHour": "20m", "memoryGiBHour": "3m"}},
		"no amount":        {in: "GBP", wantErr: "write a currency"},
		"too much":         {in: "GBP 1 2 3", wantErr: "write a currency"},
		"no number":        {in: "GBP cheap", wantErr: `"cheap" is not a number`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parsePrice(test.in)
			if test.wantErr != "" {
				require.ErrorContains(t, err, test.wantErr)
				return
			}
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(test.want, got))
		})
	}
}

// kubeconfigFile writes a kubeconfig with one context, heata, after change had a look at it.
func kubeconfigFile(t *testing.T, change func(c *clientcmdapi.Config, dir string)) string {
	t.Helper()
	dir := t.TempDir()
	config := clientcmdapi.NewConfig()
	config.Clusters["heata"] = &clientcmdapi.Cluster{Server: "https://heata.example", InsecureSkipTLSVerify: true}
	config.AuthInfos["heata"] = &clientcmdapi.AuthInfo{Token: "token"}
	config.Contexts["heata"] = &clientcmdapi.Context{Cluster: "heata", AuthInfo: "heata"}
	config.CurrentContext = "heata"
	if change != nil {
		change(config, dir)
	}
	file := filepath.Join(dir, "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	return file
}
