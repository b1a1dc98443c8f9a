package main

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/digate/digate/server/preview"
)

// placeholders returns the sorted names of the placeholders in texts.
func placeholders(texts ...string) []string {
	names := make(map[string]bool)
	for _, text := range texts {
		addPlaceholders(names, text)
	}
	return slices.Sorted(maps.Keys(names))
}

func addPlaceholders(names map[string]bool, text string) {
	for _, name := range preview.NamesIn(text) {
		names[name] = true
	}
}

// placeholdersIn adds the names of the placeholders in the strings of a value.
func placeholdersIn(v *structpb.Value, names map[string]bool) {
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		addPlaceholders(names, v.StringValue)
	case *structpb.Value_ListValue:
		for _, item := range v.ListValue.GetValues() {
			placeholdersIn(item, names)
		}
	case *structpb.Value_StructValue:
		for _, item := range v.StructValue.GetFields() {
			placeholdersIn(item, names)
		}
	}
}
