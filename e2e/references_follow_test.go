package e2e

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestConfigMapsAndSecretsArriveBeforeTheDelegateFollowAndGo(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	settings, err := s.kube.CoreV1().ConfigMaps(s.name).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"colour": "red"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = s.kube.CoreV1().Secrets(s.name).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "key"}, Data: map[string][]byte{"token": []byte("s3cret")}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = s.kube.CoreV1().Secrets(s.name).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "unrelated"}, Data: map[string][]byte{"token": []byte("stays home")}}, metav1.CreateOptions{})
	require.NoError(t, err)
	cloud.givenNamespace(t, s.name)
	created := s.watchDelegates(cloud)

	s.createElected("reader", referring("settings", "key"))

	delegate := <-created
	s.expectRunningOn("reader", cloud.name)
	configMap, secret := referencesOf(t, delegate)
	copied, err := cloud.kube.CoreV1().ConfigMaps(s.name).Get(t.Context(), configMap, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"colour": "red"}, copied.Data)
	kept, err := cloud.kube.CoreV1().Secrets(s.name).Get(t.Context(), secret, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "s3cret", string(kept.Data["token"]))
	assert.Less(t, revision(t, copied), revision(t, delegate), "the ConfigMap was there before the delegate")
	assert.Less(t, revision(t, kept), revision(t, delegate), "the Secret was there before the delegate")
	assert.Len(t, s.shipped(t.Context(), t, cloud), 2, "nothing else is shipped")

	settings.Data["colour"] = "green"
	_, err = s.kube.CoreV1().ConfigMaps(s.name).Update(t.Context(), settings, metav1.UpdateOptions{})
	require.NoError(t, err)
	expectEventually(t, soon, "the copy to follow", func(ctx context.Context) error {
		now, err := cloud.kube.CoreV1().ConfigMaps(s.name).Get(ctx, configMap, metav1.GetOptions{})
		if err == nil && now.Data["colour"] != "green" {
			err = fmt.Errorf("it has %v", now.Data)
		}
		return err
	})

	s.deletePod("reader", nil)
	expectEventually(t, late, "the copies to be gone", func(ctx context.Context) error {
		if left := s.shipped(ctx, t, cloud); len(left) > 0 {
			return fmt.Errorf("there are %v", left)
		}
		return nil
	})
}

func TestAPodWhoseSecretIsMissingSaysSoAndRunsWhenItComes(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	_, err := s.kube.CoreV1().ConfigMaps(s.name).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings"}}, metav1.CreateOptions{})
	require.NoError(t, err)

	s.createElected("waits", referring("settings", "key"))

	s.expectUnschedulable("waits", "cloud: ", "Secret "+s.name+"/key does not exist in the source cluster", "create it")
	_, err = s.kube.CoreV1().Secrets(s.name).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "key"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	expectEventually(t, late, "the pod to run", s.allRunning(1)) // the refusal is remembered for a while
}

// referring uses a ConfigMap by volume and a Secret by environment.
func referring(configMap, secret string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "settings", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: configMap}}}})
		spec.Containers[0].VolumeMounts = append(spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "settings", MountPath: "/settings"})
		spec.Containers[0].EnvFrom = append(spec.Containers[0].EnvFrom, corev1.EnvFromSource{
			SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}})
	}
}

// referencesOf returns the names by which a delegate knows what referring named.
func referencesOf(t *testing.T, delegate *corev1.Pod) (configMap, secret string) {
	t.Helper()
	for _, volume := range delegate.Spec.Volumes {
		if volume.Name == "settings" {
			configMap = volume.ConfigMap.Name
		}
	}
	require.NotEmpty(t, delegate.Spec.Containers[0].EnvFrom)
	return configMap, delegate.Spec.Containers[0].EnvFrom[0].SecretRef.Name
}

// shipped names the ConfigMaps and Secrets in a target's namespace, without Kubernetes' own.
func (s *space) shipped(ctx context.Context, t *testing.T, in *cluster) []string {
	t.Helper()
	var names []string
	configMaps, err := in.kube.CoreV1().ConfigMaps(s.name).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"})
	require.NoError(t, err)
	for _, found := range configMaps.Items {
		names = append(names, "ConfigMap "+found.Name)
	}
	secrets, err := in.kube.CoreV1().Secrets(s.name).List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	for _, found := range secrets.Items {
		names = append(names, "Secret "+found.Name)
	}
	return names
}

// givenNamespace makes a namespace in a target before a pod needs it, so that it can be watched.
func (c *cluster) givenNamespace(t *testing.T, name string) {
	t.Helper()
	_, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
}

// revision is when an object was last written, in the order of its cluster's writes.
func revision(t *testing.T, object metav1.Object) int {
	t.Helper()
	n, err := strconv.Atoi(object.GetResourceVersion())
	require.NoError(t, err)
	return n
}
