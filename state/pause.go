package state

import "time"

// keyPause is in the bucket of the streams' cursors.
var keyPause = []byte("pause")

// A Pause is how long Graph has asked not to be asked: a long Retry-After, which outlives the cycle
// and the process that met it.
type Pause struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Pause returns the last pause that Graph asked for; its zero value: none.
func (tx *Tx) Pause() Pause {
	if text := tx.kv.get(keyPause, bucketCursors); text != nil {
		return fromJSON[Pause]("pause of Graph", text)
	}
	return Pause{}
}

// PutPause remembers a pause.
func (tx *Tx) PutPause(p Pause) error { return tx.kv.putJSON(keyPause, p, bucketCursors) }
