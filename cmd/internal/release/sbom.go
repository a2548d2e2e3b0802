package main

import (
	"encoding/json"
	"runtime/debug"
)

// billOfMaterials lists the modules that a program was built from (CycloneDX 1.6), as the program itself says. It has
// no time and no serial number, so that the same program gives the same bytes.
func billOfMaterials(version string, info *debug.BuildInfo) ([]byte, error) {
	components := []object{{"type": "library", "name": "std", "version": info.GoVersion, "purl": "pkg:golang/std@" + info.GoVersion[len("go"):]}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, object{"type": "library", "name": m.Path, "version": m.Version, "purl": "pkg:golang/" + m.Path + "@" + m.Version})
	}
	return json.MarshalIndent(object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata":   object{"component": object{"type": "application", "name": "entrasync", "version": version}},
		"components": components,
	}, "", " ")
}
