package page

// NotifierView is a notifier and whether it gets through.
type NotifierView struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Level   string `json:"level"`
	Icon    string `json:"icon"`
	Word    string `json:"word"`
	Message string `json:"message"`
	Last    int64  `json:"last"` // success
}

func (m *maker) notifiers() []NotifierView {
	return []NotifierView{}
}
