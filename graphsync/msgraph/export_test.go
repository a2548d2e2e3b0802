package msgraph

// DecodePage is the decoder without the requests around it, for fuzzing and measuring.
var DecodePage = decodePage
