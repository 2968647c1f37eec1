package deploy

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestMutationMatchesElectedPodsThatNobodyElseSchedules(t *testing.T) {
	tests := map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"a pod without annotations is left alone":                {pod: pod(), want: false},
		"a pod with other annotations is left alone":             {pod: pod(annotated("a.b/c")), want: false},
		"an elected pod without a scheduler matches":             {pod: pod(elected), want: true},
		"an elected pod of the default scheduler matches":        {pod: pod(elected, scheduler("default-scheduler")), want: true},
		"an elected pod that names our scheduler matches":        {pod: pod(elected, scheduler("spillway")), want: true},
		"an elected pod of another scheduler is left alone":      {pod: pod(elected, scheduler("volcano")), want: false},
		"an elected pod that is already on a node is left alone": {pod: pod(elected, onNode), want: false},
	}
	for _, key := range v1alpha1.ElectAnnotations {
		tests["a pod elected by "+key+" matches"] = struct {
			pod  *corev1.Pod
			want bool
		}{pod(annotated(key)), true}
	}
	policy := find[admissionv1.MutatingAdmissionPolicy](t, "MutatingAdmissionPolicy")[0]
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, matches(t, policy.Spec.MatchConditions, test.pod, nil))
		})
	}
}

func TestMutationSetsSchedulerAndLabelAndNothingElse(t *testing.T) {
	policy := find[admissionv1.MutatingAdmissionPolicy](t, "MutatingAdmissionPolicy")[0]
	require.Len(t, policy.Spec.Mutations, 1)
	before := pod(elected, scheduler("default-scheduler"), func(p *corev1.Pod) { p.Labels = map[string]string{"app": "web"} })

	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	require.NoError(t, err)
	evaluator := compiler.CompileMutatingEvaluator(
		&patch.ApplyConfigurationCondition{Expression: policy.Spec.Mutations[0].ApplyConfiguration.Expression},
		cel.OptionalVariableDeclarations{HasAuthorizer: true, HasPatchTypes: true}, environment.StoredExpressions)
	after, err := patch.NewApplyConfigurationPatcher(evaluator).Patch(t.Context(), patch.Request{
		VersionedAttributes: attributes(before, nil),
		ObjectInterfaces:    admission.NewObjectInterfacesFromScheme(scheme.Scheme),
		TypeConverter:       managedfields.NewDeducedTypeConverter(),
	}, celconfig.RuntimeCELCostBudget)
	require.NoError(t, err)

	want := before.DeepCopy()
	want.Labels[v1alpha1.LabelElected] = v1alpha1.ElectedTrue
	want.Spec.SchedulerName = v1alpha1.SchedulerName
	got := &corev1.Pod{}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	require.NoError(t, err)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(content, got))
	assert.Empty(t, cmp.Diff(want, got))
}

func TestEveryBurstLabelHasABindingAndNoOtherHas(t *testing.T) {
	var got []v1alpha1.BurstLabel
	for _, binding := range find[admissionv1.MutatingAdmissionPolicyBinding](t, "MutatingAdmissionPolicyBinding") {
		assert.Equal(t, "spillway-elect", binding.Spec.PolicyName)
		for key, value := range binding.Spec.MatchResources.NamespaceSelector.MatchLabels {
			got = append(got, v1alpha1.BurstLabel{Key: key, Value: value})
		}
	}
	assert.ElementsMatch(t, v1alpha1.BurstLabels, got)
}

func TestHandElectionIsRefusedExactlyWhereNoBurstLabelIs(t *testing.T) {
	binding := find[admissionv1.ValidatingAdmissionPolicyBinding](t, "ValidatingAdmissionPolicyBinding")[0]
	selector, err := metav1.LabelSelectorAsSelector(binding.Spec.MatchResources.NamespaceSelector)
	require.NoError(t, err)
	assert.True(t, selector.Matches(labels.Set{}))
	assert.True(t, selector.Matches(labels.Set{v1alpha1.LabelBurst: "disabled"}))
	for _, label := range v1alpha1.BurstLabels {
		assert.False(t, selector.Matches(labels.Set{label.Key: label.Value}), label.Key)
	}
	assert.Len(t, binding.Spec.MatchResources.NamespaceSelector.MatchExpressions, len(v1alpha1.BurstLabels))
}

func TestHandElectionIsNewElection(t *testing.T) {
	label := func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue} }
	tests := map[string]struct {
		pod, old *corev1.Pod
		want     bool
	}{
		"a plain pod is created":                               {pod: pod(scheduler("default-scheduler"))},
		"a plain pod is changed":                               {pod: pod(annotated("a")), old: pod()},
		"a pod is created with the label":                      {pod: pod(label), want: true},
		"a pod is created with our scheduler":                  {pod: pod(scheduler("spillway")), want: true},
		"a plain pod gets the label":                           {pod: pod(label), old: pod(), want: true},
		"a pod elected while the namespace allowed it changes": {pod: pod(label, annotated("a")), old: pod(label)},
	}
	policy := find[admissionv1.ValidatingAdmissionPolicy](t, "ValidatingAdmissionPolicy")[0]
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, matches(t, policy.Spec.MatchConditions, test.pod, test.old))
		})
	}
}

func TestHandElectionSaysWhatToDo(t *testing.T) {
	policy := find[admissionv1.ValidatingAdmissionPolicy](t, "ValidatingAdmissionPolicy")[0]
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	require.NoError(t, err)
	attrs := attributes(pod(), nil)
	results, _, err := compiler.CompileCondition([]cel.ExpressionAccessor{
		&validating.MessageExpressionCondition{MessageExpression: policy.Spec.Validations[0].MessageExpression},
	}, cel.OptionalVariableDeclarations{}, environment.StoredExpressions).ForInput(t.Context(), attrs,
		cel.CreateAdmissionRequest(attrs.Attributes, metav1.GroupVersionResource{}, metav1.GroupVersionKind{}),
		cel.OptionalVariableBindings{}, nil, celconfig.RuntimeCELCostBudget)
	require.NoError(t, err)
	require.NoError(t, results[0].Error)
	assert.Contains(t, results[0].EvalResult.Value(),
		"namespace default does not allow bursting: label it spillway.dev/burst=enabled")
}

// matches evaluates conditions as the API server does, for the creation of a pod or, with old, its update.
func matches(t *testing.T, conditions []admissionv1.MatchCondition, pod, old *corev1.Pod) bool {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	require.NoError(t, err)
	var accessors []cel.ExpressionAccessor
	for i := range conditions {
		accessors = append(accessors, (*matchconditions.MatchCondition)(&conditions[i]))
	}
	compiled := compiler.CompileCondition(accessors,
		cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.StoredExpressions)
	fail := admissionv1.Fail
	result := matchconditions.NewMatcher(compiled, &fail, "policy", "validate", "test").
		Match(context.Background(), attributes(pod, old), nil, nil)
	require.NoError(t, result.Error)
	return result.Matches
}

func attributes(pod, old *corev1.Pod) *admission.VersionedAttributes {
	kind, operation := corev1.SchemeGroupVersion.WithKind("Pod"), admission.Create
	// An interface that holds a nil *Pod is not nil.
	var oldObject runtime.Object
	if old != nil {
		oldObject, operation = old, admission.Update
	}
	return &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(pod, oldObject, kind, "default", "pod",
			corev1.SchemeGroupVersion.WithResource("pods"), "", operation, nil, false, nil),
		VersionedKind:      kind,
		VersionedObject:    admission.NewLazyObject(pod),
		VersionedOldObject: admission.NewLazyObject(oldObject),
	}
}

// find returns Admission's objects of a kind.
func find[T any](t *testing.T, kind string) []*T {
	t.Helper()
	objects, err := Admission()
	require.NoError(t, err)
	var found []*T
	for _, object := range slices.DeleteFunc(objects, func(u *unstructured.Unstructured) bool { return u.GetKind() != kind }) {
		found = append(found, convert[T](t, object))
	}
	require.NotEmpty(t, found)
	return found
}

func pod(edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "pod"}}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func elected(p *corev1.Pod) { annotated(v1alpha1.AnnotationElect)(p) }

func onNode(p *corev1.Pod) { p.Spec.NodeName = "n" }

func annotated(key string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{key: ""} }
}

func scheduler(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.SchedulerName = name }
}
