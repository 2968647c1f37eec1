package delegate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

const referring = `
metadata: {name: p, namespace: shop, uid: u}
spec:
  imagePullSecrets: [{name: pull}, {name: ""}]
  initContainers:
  - {name: i, envFrom: [{configMapRef: {name: init-env, optional: true}}]}
  containers:
  - name: c
    envFrom: [{secretRef: {name: secret-env}}]
    env:
    - {name: A, valueFrom: {configMapKeyRef: {name: both, key: k, optional: true}}}
    - {name: B, valueFrom: {secretKeyRef: {name: key, key: k, optional: true}}}
  volumes:
  - {name: a, configMap: {name: both}}
  - {name: b, secret: {secretName: volume, optional: true}}
  - {name: c, projected: {sources: [{configMap: {name: projected}}, {secret: {name: projected, optional: true}}]}}
  - {name: d, csi: {driver: x, nodePublishSecretRef: {name: csi}}}
  - {name: e, azureFile: {secretName: azure, shareName: s}}
  - {name: f, iscsi: {secretRef: {name: iscsi}, targetPortal: x, iqn: x, lun: 0}}
  - {name: g, cephfs: {secretRef: {name: cephfs}, monitors: [x]}}
  - {name: h, rbd: {secretRef: {name: rbd}, monitors: [x], image: x}}
  - {name: i, cinder: {secretRef: {name: cinder}, volumeID: x}}
  - {name: j, flexVolume: {secretRef: {name: flex}, driver: x}}
  - {name: k, scaleIO: {secretRef: {name: scaleio}, gateway: x, system: x}}
  - {name: l, storageos: {secretRef: {name: storageos}}}
`

func TestEveryReferenceIsListedOnceAndRenamed(t *testing.T) {
	pod := &corev1.Pod{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(referring), pod))
	pod.Spec.Volumes = append(pod.Spec.Volumes, injectedToken())
	want := []delegate.Reference{
		{Kind: "ConfigMap", Name: "both"}, {Kind: "ConfigMap", Name: "init-env", Optional: true}, {Kind: "ConfigMap", Name: "projected"},
		{Kind: "Secret", Name: "azure"}, {Kind: "Secret", Name: "cephfs"}, {Kind: "Secret", Name: "cinder"}, {Kind: "Secret", Name: "csi"},
		{Kind: "Secret", Name: "flex"}, {Kind: "Secret", Name: "iscsi"}, {Kind: "Secret", Name: "key", Optional: true},
		{Kind: "Secret", Name: "projected", Optional: true}, {Kind: "Secret", Name: "pull", Optional: true}, {Kind: "Secret", Name: "rbd"},
		{Kind: "Secret", Name: "scaleio"}, {Kind: "Secret", Name: "secret-env"}, {Kind: "Secret", Name: "storageos"},
		{Kind: "Secret", Name: "volume", Optional: true},
	}

	assert.Empty(t, cmp.Diff(want, delegate.References(pod)))

	got, err := delegate.New(pod, heata())
	require.NoError(t, err)
	var renamed []string
	for _, reference := range delegate.References(got) {
		renamed = append(renamed, reference.Kind+reference.Name)
	}
	for _, reference := range want {
		assert.Contains(t, renamed, reference.Kind+delegate.ShippedName(sourceCluster, "shop", reference.Name))
	}
	assert.Len(t, renamed, len(want))
}

func TestAnEphemeralContainersReferencesAreListed(t *testing.T) {
	pod := jobPod()
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "debug"}}}}}}}

	assert.Contains(t, delegate.References(pod), delegate.Reference{Kind: delegate.KindSecret, Name: "debug"})
}
