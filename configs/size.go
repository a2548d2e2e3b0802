package configs

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of bytes, written as 100MiB, 1GB or a number.
type Size int64

// sizeUnits are the units of sizes, by their spelling in lower case.
var sizeUnits = map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}

// UnmarshalText reads a size. It is above zero.
func (s *Size) UnmarshalText(text []byte) error {
	wrong := errors.New("is no size; write it as 100MiB or 1GB")
	digits := strings.TrimSpace(string(text))
	at := strings.LastIndexAny(digits, "0123456789.") + 1
	number, err := strconv.ParseFloat(digits[:at], 64)
	unit, known := sizeUnits[strings.ToLower(strings.TrimSpace(digits[at:]))]
	if n := number * unit; err == nil && known && n >= 1 && n <= math.MaxInt64/2 {
		*s = Size(n)
		return nil
	}
	return wrong
}
