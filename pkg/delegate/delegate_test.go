package delegate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

const (
	sourceCluster = "7d3c7a5e-0c1f-4b5e-9c40-6f1f0f7a9f11"
	tokenVolume   = "kube-api-access-x7k2p"
)

func heata() delegate.Options {
	return delegate.Options{
		SourceCluster: sourceCluster,
		TargetName:    "heata",
		Target: &v1alpha1.TargetSpec{
			NodeSelector: map[string]string{"role.heata.co/capture-heat": "true"},
			Tolerations:  []corev1.Toleration{{Key: "heata", Operator: corev1.TolerationOpExists}},
			Labels:       map[string]string{corev1.LabelTopologyRegion: "uk"},
		},
	}
}

// withoutRecord compares delegates but for the record of what was sent.
var withoutRecord = cmpopts.IgnoreMapEntries(func(key, _ string) bool { return key == v1alpha1.AnnotationSent })

// jobPod is a pod of a Job as the source's API server and admission have stored it.
func jobPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "render-0-x8vbz", GenerateName: "render-0-", Namespace: "media", UID: "0f7a9f11-1111-4222-8333-944445555666",
			ResourceVersion: "812", Generation: 1, Finalizers: []string{"batch.kubernetes.io/job-tracking"},
			Labels: map[string]string{
				"app": "render", "job-name": "render", "batch.kubernetes.io/job-completion-index": "0",
				"batch.kubernetes.io/controller-uid": "c0ffee", v1alpha1.LabelElected: v1alpha1.ElectedTrue,
			},
			Annotations: map[string]string{
				v1alpha1.AnnotationElect: "", "multicluster.admiralty.io/elect": "", "team": "vfx",
				"kubectl.kubernetes.io/last-applied-configuration": "{}",
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "render", UID: "c0ffee", Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: "spillway-heata", SchedulerName: v1alpha1.SchedulerName, RestartPolicy: corev1.RestartPolicyNever,
			ServiceAccountName: "render", DeprecatedServiceAccount: "render", Priority: ptr.To[int32](7), PriorityClassName: "batch",
			PreemptionPolicy: ptr.To(corev1.PreemptNever), NodeSelector: map[string]string{"role.heata.co/capture-heat": "true"},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
			Containers: []corev1.Container{{
				Name: "main", Image: "render:1",
				Resources:    corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("2")}},
				VolumeMounts: []corev1.VolumeMount{{Name: "scene", MountPath: "/scene"}, tokenMount()},
			}},
			Volumes: []corev1.Volume{
				{Name: "scene", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "scene"}}}},
				injectedToken(),
			},
			Tolerations: []corev1.Toleration{{Key: v1alpha1.TaintProvider, Operator: corev1.TolerationOpExists}},
		},
	}
}

func tokenMount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: tokenVolume, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}
}

func injectedToken() corev1.Volume {
	return corev1.Volume{Name: tokenVolume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: ptr.To[int64](3607), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace",
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}},
		}}}}
}

func TestADelegateIsTheSourcePodWithoutWhatBelongsToTheSourceCluster(t *testing.T) {
	source := jobPod()
	before := source.DeepCopy()
	scene, registry := delegate.ShippedName(sourceCluster, "media", "scene"), delegate.ShippedName(sourceCluster, "media", "registry")

	got, err := delegate.New(source, heata())

	require.NoError(t, err)
	want := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: delegate.Name(source, sourceCluster), Namespace: "media",
			Labels: map[string]string{
				"app": "render", "job-name": "render", "batch.kubernetes.io/job-completion-index": "0",
				"source.spillway.dev/batch.kubernetes.io_controller-uid": "c0ffee",
				v1alpha1.LabelSourceCluster:                              sourceCluster,
				v1alpha1.LabelSourceNamespace:                            "media",
				v1alpha1.LabelSourceName:                                 "render-0-x8vbz",
				v1alpha1.LabelSourceUID:                                  string(source.UID),
				v1alpha1.LabelTarget:                                     "heata",
			},
			Annotations: map[string]string{"team": "vfx"},
		},
		Spec: corev1.PodSpec{
			Hostname: "render-0-x8vbz", RestartPolicy: corev1.RestartPolicyNever,
			AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
			NodeSelector:     map[string]string{"role.heata.co/capture-heat": "true"},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: registry}},
			Containers: []corev1.Container{{
				Name: "main", Image: "render:1",
				Resources:    corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("2")}},
				VolumeMounts: []corev1.VolumeMount{{Name: "scene", MountPath: "/scene"}},
			}},
			Volumes: []corev1.Volume{{Name: "scene", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: scene}}}}},
			Tolerations: []corev1.Toleration{{Key: "heata", Operator: corev1.TolerationOpExists}},
		},
	}
	assert.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty(), withoutRecord))
	assert.Empty(t, cmp.Diff(before, source), "the source pod is not changed")
	_, problems := create(t, got)
	assert.Empty(t, problems, "an API server takes it")
}

func TestADelegateIsTheSameBeforeAndAfterItsSourceIsBound(t *testing.T) {
	before := jobPod()
	before.Spec.NodeName = ""
	after := jobPod()
	after.Annotations[v1alpha1.AnnotationPlacement] = `{"target":"heata"}`
	after.Labels[corev1.LabelTopologyRegion] = "uk" // binding writes the virtual node's
	after.Status.Phase = corev1.PodRunning

	first, err := delegate.New(before, heata())
	require.NoError(t, err)
	second, err := delegate.New(after, heata())
	require.NoError(t, err)

	assert.Empty(t, cmp.Diff(first, second))
}

// webPod uses most of what a pod can say of where it wants to be and of itself.
const webPod = `
metadata:
  name: web.v2-7d4b9c6f5-abcde
  namespace: shop
  uid: 5e0c1f4b-9c40-4f1f-8f7a-9f11aaaabbbb
  labels: {app: web, pod-template-hash: 7d4b9c6f5}
  annotations: {checksum: abc}
spec:
  setHostnameAsFQDN: false
  readinessGates: [{conditionType: lb.example.com/registered}]
  topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: [pod-template-hash], labelSelector: {matchLabels: {app: web}}}
  - {maxSkew: 1, topologyKey: spillway.dev/target, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
  affinity:
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - {topologyKey: kubernetes.io/hostname, matchLabelKeys: [pod-template-hash], namespaces: [shop, blog], labelSelector: {matchLabels: {app: web}}}
      - {topologyKey: topology.kubernetes.io/region, labelSelector: {matchLabels: {app: db}}}
  initContainers:
  - {name: fetch, image: fetch, restartPolicy: Always, terminationMessagePolicy: File, imagePullPolicy: Always}
  containers:
  - name: web
    image: web:2
    terminationMessagePolicy: File
    imagePullPolicy: IfNotPresent
    ports: [{containerPort: 80, hostPort: 8080}]
    securityContext: {allowPrivilegeEscalation: true, capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}}
    envFrom: [{secretRef: {name: web}}]
    env:
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
  volumes:
  - {name: tmp, emptyDir: {}}
  - name: scratch
    ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}
  - name: info
    downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}, {path: labels, fieldRef: {fieldPath: metadata.labels}}]}
  - name: files
    csi: {driver: files.example.com, nodePublishSecretRef: {name: files}}
`

func storedPod(t testing.TB, manifest string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(manifest), pod))
	stored, problems := create(t, pod)
	require.Empty(t, problems, "the fixture is a valid pod")
	return stored
}

func TestAnAPIServerTakesTheDelegateOfAPodThatAnAPIServerStored(t *testing.T) {
	got, err := delegate.New(storedPod(t, webPod), heata())

	require.NoError(t, err)
	stored, problems := create(t, got)
	assert.Empty(t, problems)
	assert.Equal(t, "web-v2-7d4b9c6f5-abcde", stored.Spec.Hostname)
	assert.Nil(t, stored.Spec.ReadinessGates)
	require.Len(t, stored.Spec.TopologySpreadConstraints, 1, "the one over targets is decided before")
	assert.True(t, matchesOwn(t, stored, stored.Spec.TopologySpreadConstraints[0].LabelSelector), "a constraint still counts its own pod")
	terms := stored.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	require.Len(t, terms, 1, "the one over regions is decided before")
	assert.True(t, matchesOwn(t, stored, terms[0].LabelSelector), "an anti-affinity still repels its own pod's like")
}

func matchesOwn(t *testing.T, pod *corev1.Pod, selector *metav1.LabelSelector) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return s.Matches(labels.Set(pod.Labels))
}

func TestAReplicaSetOrJobOfTheTargetWithTheSameSelectorDoesNotMatchADelegate(t *testing.T) {
	tests := map[string]map[string]string{
		"a ReplicaSet of a Deployment": {"app": "web", "pod-template-hash": "7d4b9c6f5"},
		"a Rollout's ReplicaSet":       {"app": "web", "rollouts-pod-template-hash": "7d4b9c6f5"},
		"a Job":                        {"batch.kubernetes.io/controller-uid": "c0ffee"},
		"a Job of old":                 {"controller-uid": "c0ffee"},
	}
	for name, selector := range tests {
		t.Run(name, func(t *testing.T) {
			source := jobPod()
			source.Labels = selector

			got, err := delegate.New(source, heata())

			require.NoError(t, err)
			assert.False(t, matchesOwn(t, got, &metav1.LabelSelector{MatchLabels: selector}))
			assert.Empty(t, got.OwnerReferences)
		})
	}
}

func BenchmarkNew(b *testing.B) {
	source, options := jobPod(), heata()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := delegate.New(source, options); err != nil {
			b.Fatal(err)
		}
	}
}
