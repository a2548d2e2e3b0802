package mapping

import (
	"strings"
)

func evalSplit(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return Value{}, err
	}
	delimiter, given, err := n.str(r, 1)
	if err != nil {
		return Value{}, err
	}
	split, err := n.each(r, v, func(s string) (Value, error) {
		count := strings.Count(s, delimiter) + 1
		if !given || delimiter == "" {
			count = len(s)/2 + 1
		}
		if err := r.spend(64*count, n.of.column); err != nil {
			return Value{}, err
		}
		var parts []string
		switch {
		case !given:
			parts = strings.Fields(s)
		case delimiter == "":
			parts = []string{s}
		default:
			parts = strings.Split(s, delimiter)
		}
		items := make([]Value, len(parts))
		for i, part := range parts {
			items[i] = StringValue(strings.TrimSpace(part))
		}
		return ListValue(items...), nil
	})
	return split, err
}

func evalItem(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return Value{}, err
	}
	index, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	items := v.items()
	if index < 1 || index > int64(len(items)) {
		return Value{}, n.fail(Index, "there is no item %d in a list of %d; the first item is 1", index, len(items))
	}
	return items[index-1], nil
}

func evalCount(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	return IntValue(int64(len(v.items()))), err
}

func evalRemoveDuplicates(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return Value{}, err
	}
	items := v.items()
	seen := make(map[string]bool, len(items))
	kept := make([]Value, 0, len(items))
	for _, item := range items {
		if text := item.Text(); !seen[text] {
			seen[text] = true
			kept = append(kept, item)
		}
	}
	return ListValue(kept...), nil
}
