package configmap

// What is wrong with a signal in a ConfigMap, and what to do about it.
const (
	noConfigMap = "cannot be read, because there is no such ConfigMap"
	createIt    = "create it, or change the Target to name one that exists"
	unreadable  = "cannot be read (%v)"
	allowIt     = "allow the controller to get and watch it"
	noKey       = "is not there"
	addKey      = "add the key, with the fields of spec.%s as YAML"
	malformed   = "cannot be used (%v)"
	correctIt   = "write the fields of spec.%s as YAML, and validUntil as in 2026-01-31T12:00:00Z"
	stale       = "is stale since %s"
	renewIt     = "let its writer set a new value with a later validUntil"
)
