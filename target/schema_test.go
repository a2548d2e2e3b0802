package target_test

import (
	"testing"

	"entrasync/target"
)

func TestMisspelledPath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name.givnName": "name.givenName", "usreName": "userName", "emails[type eq \"work\"].valeu": "emails.value", "displyName": "displayName",
		"titel": "title", "NAME.GIVENNAME": "", "role": "", "urn:x:y:givnName": "", "name.nick": "", "costCentre": "", "addresses[type eq \"work\"].city": "",
	} {
		p, err := target.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := p.Misspelled(target.User); got.Near != want {
			t.Errorf("%s: near %q, want %q", text, got.Near, want)
		}
	}
}

func TestMisspelledFilter(t *testing.T) {
	t.Parallel()
	f, err := target.ParseFilter(`(userNmae eq "a" or not (activ eq true)) and costCentre pr and emails[tpye eq "work"]`)
	if err != nil {
		t.Fatal(err)
	}
	var near []string
	for _, m := range f.Misspelled(target.User) {
		near = append(near, m.Near)
	}
	if len(near) != 2 || near[0] != "userName" || near[1] != "active" {
		t.Errorf("near %q, want userName and active", near)
	}
}
