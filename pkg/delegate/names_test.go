package delegate_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

func named(name string, uid types.UID) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}
}

func TestADelegatesNameIsItsSourcesNameAndAHash(t *testing.T) {
	tests := map[string]struct{ source, want string }{
		"a short name is kept":                            {source: "web-0", want: `^web-0-[a-z]{10}$`},
		"dots are kept":                                   {source: "web.v2", want: `^web\.v2-[a-z]{10}$`},
		"a long name is cut":                              {source: strings.Repeat("a", 253), want: `^a{52}-[a-z]{10}$`},
		"a long name is cut to where a name may end":      {source: strings.Repeat("a", 50) + "-.b" + strings.Repeat("c", 90), want: `^a{50}-[a-z]{10}$`},
		"a name that just fits is not cut":                {source: strings.Repeat("a", 52), want: `^a{52}-[a-z]{10}$`},
		"a name of a StatefulSet's pod ends in no number": {source: "db-12", want: `[a-z]$`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := delegate.Name(named(tt.source, "uid"), sourceCluster)
			assert.Regexp(t, regexp.MustCompile(tt.want), got)
			assert.Empty(t, validation.IsDNS1123Subdomain(got))
		})
	}
}

func TestNamesOfTwoPodsClustersOrNamespacesNeverMeet(t *testing.T) {
	assert.NotEqual(t, delegate.Name(named("web-0", "first"), "a"), delegate.Name(named("web-0", "second"), "a"), "pods of one name")
	assert.NotEqual(t, delegate.Name(named("web-0", "first"), "a"), delegate.Name(named("web-0", "first"), "b"), "clusters")
	assert.NotEqual(t, delegate.ShippedName("a", "shop", "tls"), delegate.ShippedName("a", "blog", "tls"), "namespaces")
	assert.NotEqual(t, delegate.ShippedName("a", "shop", "tls"), delegate.ShippedName("b", "shop", "tls"), "clusters")
	assert.NotEqual(t, delegate.ShippedName("a", "b", "c"), delegate.ShippedName("ab", "", "c"), "parts are kept apart")
	long := strings.Repeat("x", 252)
	assert.NotEqual(t, delegate.ShippedName("a", "b", long+"1"), delegate.ShippedName("a", "b", long+"2"), "names that differ at their end")
	assert.Empty(t, validation.IsDNS1123Subdomain(delegate.ShippedName("a", "b", long)))
}

func TestNamesAreTheSameInEveryVersion(t *testing.T) {
	// A controller that is updated must find what the one before it made.
	assert.Equal(t, "web-0-tqrbwpzfts", delegate.Name(named("web-0", "uid"), "cluster"))
	assert.Equal(t, "tls-qkzdcmmswfjwthjc", delegate.ShippedName("cluster", "shop", "tls"))
}

func TestNamespacesAreMapped(t *testing.T) {
	long := strings.Repeat("n", 63)
	tests := map[string]struct {
		mapping v1alpha1.NamespaceMapping
		source  string
		want    string
	}{
		"the same name":           {mapping: v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingSame}, source: "shop", want: `^shop$`},
		"the same where unset":    {source: "shop", want: `^shop$`},
		"a prefix":                {mapping: v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingPrefix, Prefix: "acme-"}, source: "shop", want: `^acme-shop$`},
		"a fixed name":            {mapping: v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingFixed, Name: "burst"}, source: "shop", want: `^burst$`},
		"a prefix of a long name": {mapping: v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingPrefix, Prefix: "acme-"}, source: long, want: `^acme-n{49}-[a-z]{8}$`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := delegate.Namespace(tt.mapping, tt.source)
			assert.Regexp(t, regexp.MustCompile(tt.want), got)
			assert.Empty(t, validation.IsDNS1123Label(got))
		})
	}
}

func TestADelegateKnowsItsSource(t *testing.T) {
	got, err := delegate.New(jobPod(), heata())
	assert.NoError(t, err)

	source, ok := delegate.SourceOf(got)
	assert.True(t, ok)
	assert.Equal(t, delegate.Source{Cluster: sourceCluster, Namespace: "media", UID: jobPod().UID}, source)

	_, ok = delegate.SourceUID(named("stranger", "uid"))
	assert.False(t, ok, "a pod that is no delegate has no source")
}
