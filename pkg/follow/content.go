package follow

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// content is all that is shipped of a ConfigMap or Secret: never its labels or annotations.
type content struct {
	Text      map[string]string `json:",omitempty"`
	Binary    map[string][]byte `json:",omitempty"`
	Type      corev1.SecretType
	Immutable bool
	hash      string
}

func newContent(text map[string]string, binary map[string][]byte, kind corev1.SecretType, immutable *bool) content {
	c := content{Text: text, Binary: binary, Type: kind, Immutable: immutable != nil && *immutable}
	// Maps are sorted, and nothing in them can fail to be encoded.
	encoded, _ := json.Marshal(c)
	c.hash = fmt.Sprintf("%x", sha256.Sum256(encoded))
	return c
}

func (c *content) immutable() *bool {
	if !c.Immutable {
		return nil
	}
	return &c.Immutable
}

// replaces says that an API server would refuse to update old to c: it has to be deleted and created.
func (c *content) replaces(old *content) bool { return old.Immutable || old.Type != c.Type }
