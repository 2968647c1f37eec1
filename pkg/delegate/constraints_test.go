package delegate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

const region = corev1.LabelTopologyRegion

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return expression(key, corev1.NodeSelectorOpIn, values...)
}

func expression(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: operator, Values: values}
}

func term(expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: expressions}
}

func fields(of ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchFields: of}
}

func required(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
}

func preferred(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	affinity := &corev1.NodeAffinity{}
	for _, t := range terms {
		affinity.PreferredDuringSchedulingIgnoredDuringExecution = append(affinity.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.PreferredSchedulingTerm{Weight: 1, Preference: t})
	}
	return &corev1.Affinity{NodeAffinity: affinity}
}

func TestNodeAffinityKeepsWhatTheTargetsNodesDecide(t *testing.T) {
	ssd, named := in("disk", "ssd"), fields(in("metadata.name", "n1"))
	tests := map[string]struct{ affinity, want *corev1.Affinity }{
		"a region that fits is decided":                  {required(term(in(region, "uk"))), nil},
		"what is beside it stays":                        {required(term(in(region, "uk"), ssd)), required(term(ssd))},
		"an alternative for another region goes":         {required(term(in(region, "eu")), term(in(region, "uk"), ssd)), required(term(ssd))},
		"an alternative that fits makes the others idle": {required(term(ssd), term(in(region, "uk"))), nil},
		"an empty alternative allows nothing":            {required(term(), term(ssd)), required(term(ssd))},
		"a node's name stays":                            {required(named), required(named)},
		"the virtual node's name is decided":             {required(fields(in("metadata.name", "spillway-heata", "n1"))), nil},
		"another virtual node's name stays":              {required(fields(in("metadata.name", "spillway-cloud"))), required(fields(in("metadata.name", "spillway-cloud")))},
		"the virtual node's hostname is decided":         {required(term(in(corev1.LabelHostname, "spillway-heata"), ssd)), required(term(ssd))},
		"another host's stays":                           {required(term(in(corev1.LabelHostname, "n1"))), required(term(in(corev1.LabelHostname, "n1")))},
		"a zone that the Target does not name":           {required(term(in(corev1.LabelTopologyZone, "a"))), required(term(in(corev1.LabelTopologyZone, "a")))},
		"the kind of machine is the node's":              {required(term(in(corev1.LabelOSStable, "linux"))), required(term(in(corev1.LabelOSStable, "linux")))},
		"NotIn":                                          {required(term(expression(region, corev1.NodeSelectorOpNotIn, "eu"))), nil},
		"Exists":                                         {required(term(expression(region, corev1.NodeSelectorOpExists))), nil},
		"Gt":                                             {required(term(expression("tier", corev1.NodeSelectorOpGt, "2"))), nil},
		"Lt":                                             {required(term(expression("tier", corev1.NodeSelectorOpLt, "4"))), nil},
		"a preference for the region is decided":         {preferred(term(in(region, "uk"))), nil},
		"a preference beside it stays":                   {preferred(term(in(region, "uk"), ssd)), preferred(term(ssd))},
		"a preference for another region cannot be had":  {preferred(term(in(region, "eu"), ssd)), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source, options := jobPod(), heata()
			options.Target.Labels["tier"] = "3"
			source.Spec.Affinity = tt.affinity

			got, err := delegate.New(source, options)

			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(tt.want, got.Spec.Affinity, cmpopts.EquateEmpty()))
		})
	}
}

func TestNodeAffinityThatNoNodeOfTheTargetMeetsIsRefused(t *testing.T) {
	tests := map[string]corev1.NodeSelectorRequirement{
		"In another region":       in(region, "eu"),
		"NotIn this region":       expression(region, corev1.NodeSelectorOpNotIn, "uk"),
		"DoesNotExist":            expression(region, corev1.NodeSelectorOpDoesNotExist),
		"Gt what it is":           expression("tier", corev1.NodeSelectorOpGt, "3"),
		"Lt what it is":           expression("tier", corev1.NodeSelectorOpLt, "3"),
		"Gt what is not a number": expression(region, corev1.NodeSelectorOpGt, "3"),
		"NotIn its virtual node":  expression(corev1.LabelHostname, corev1.NodeSelectorOpNotIn, "spillway-heata"),
	}
	for name, requirement := range tests {
		t.Run(name, func(t *testing.T) {
			source, options := jobPod(), heata()
			options.Target.Labels["tier"] = "3"
			source.Spec.Affinity = required(term(requirement, in("disk", "ssd")))

			_, err := delegate.New(source, options)

			assert.True(t, delegate.IsRefused(err))
		})
	}
}

func TestAPodThatExcludesTheVirtualNodeByNameIsRefused(t *testing.T) {
	source := jobPod()
	source.Spec.Affinity = required(fields(expression("metadata.name", corev1.NodeSelectorOpNotIn, "spillway-heata")))

	_, err := delegate.New(source, heata())

	assert.True(t, delegate.IsRefused(err))
}

func TestASelectorOfTheVirtualNodeByItsHostnameIsDecided(t *testing.T) {
	source := jobPod()
	source.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "spillway-heata"}
	of, err := delegate.New(source, heata())
	require.NoError(t, err)
	assert.NotContains(t, of.Spec.NodeSelector, corev1.LabelHostname)

	source.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "spillway-cloud"}
	of, err = delegate.New(source, heata())
	require.NoError(t, err)
	assert.Equal(t, "spillway-cloud", of.Spec.NodeSelector[corev1.LabelHostname], "which no node of this target has")
}

func TestPodTermsNameTheNamespacesOfTheTarget(t *testing.T) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}
	source, options := jobPod(), heata()
	options.Target.Namespaces = v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingPrefix, Prefix: "acme-"}
	local := corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname, Namespaces: []string{"shop", "blog"}, LabelSelector: selector}
	between := corev1.PodAffinityTerm{TopologyKey: region, LabelSelector: selector}
	source.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{local, between},
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
			{Weight: 1, PodAffinityTerm: between}, {Weight: 2, PodAffinityTerm: local}},
	}, PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{between}}}

	got, err := delegate.New(source, options)

	require.NoError(t, err)
	want := corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname, Namespaces: []string{"acme-blog", "acme-shop"}, LabelSelector: selector}
	assert.Empty(t, cmp.Diff(&corev1.Affinity{PodAffinity: &corev1.PodAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution:  []corev1.PodAffinityTerm{want},
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 2, PodAffinityTerm: want}},
	}}, got.Spec.Affinity, cmpopts.EquateEmpty()))
}

func TestAFixedNamespaceIsNamedOnce(t *testing.T) {
	source, options := jobPod(), heata()
	options.Target.Namespaces = v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingFixed, Name: "burst"}
	source.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "rack", Namespaces: []string{"a", "b"}}}}}

	got, err := delegate.New(source, options)

	require.NoError(t, err)
	assert.Equal(t, []string{"burst"}, got.Spec.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].Namespaces)
}

func TestClusterKeysAreLabelsOfVirtualNodesButNotOfMachines(t *testing.T) {
	labels := map[string]string{region: "uk", corev1.LabelHostname: "x", corev1.LabelInstanceTypeStable: "x", corev1.LabelArchStable: "x"}
	tests := map[string]struct {
		key  string
		want bool
	}{
		"a label that one of them has":      {key: region, want: true},
		"a label that none of them has":     {key: "disk"},
		"the target's name, always":         {key: v1alpha1.LabelTarget, want: true},
		"the host's name, never":            {key: corev1.LabelHostname},
		"the architecture, never":           {key: corev1.LabelArchStable},
		"the kind of machine, never":        {key: corev1.LabelInstanceTypeStable},
		"the label of virtual nodes, never": {key: v1alpha1.LabelNodeType},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, delegate.IsClusterKey(tt.key, nil, labels))
		})
	}
}
