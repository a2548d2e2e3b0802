// Package bulkimport writes accounts in the form in which Entra's "Bulk create" takes users.
//
// It is not discovery: it is given accounts and what is known of them. It promises that no value of an application
// runs as a formula in the spreadsheet that opens the file, and that initial passwords are left to be filled in.
package bulkimport

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"entrasync/cmd/internal/console"
	"entrasync/reconcile"
	"entrasync/target"
)

// The columns of Entra's template for bulk creation, and where an account has them. The first
// line of the file is the template's version.
const version = "version:v1.0"

var columns = []struct{ title, path string }{
	{"Name [displayName] Required", "displayName"},
	{"User name [userPrincipalName] Required", "userName"},
	{"Initial password [passwordProfile] Required", ""},
	{"Block sign in (Yes/No) [accountEnabled] Required", "active"},
	{"First name [givenName]", "name.givenName"},
	{"Last name [surname]", "name.familyName"},
	{"Job title [jobTitle]", "title"},
	{"Department [department]", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"},
	{"Usage location [usageLocation]", ""},
	{"Street address [streetAddress]", `addresses[type eq "work"].streetAddress`},
	{"State or province [state]", `addresses[type eq "work"].region`},
	{"Country or region [country]", `addresses[type eq "work"].country`},
	{"Office [physicalDeliveryOfficeName]", ""},
	{"City [city]", `addresses[type eq "work"].locality`},
	{"ZIP or postal code [postalCode]", `addresses[type eq "work"].postalCode`},
	{"Office phone [telephoneNumber]", `phoneNumbers[type eq "work"].value`},
	{"Mobile phone [mobile]", `phoneNumbers[type eq "mobile"].value`},
}

// A Writer writes accounts that no user of the directory has.
type Writer struct{ out *csv.Writer }

// New begins a file: the version of the template and the titles of its columns.
func New(w io.Writer) (*Writer, error) {
	titles := make([]string, len(columns))
	for i, column := range columns {
		titles[i] = column.title
	}
	if _, err := fmt.Fprintln(w, version); err != nil {
		return nil, fmt.Errorf("write output: %w", err)
	}
	out := csv.NewWriter(w)
	return &Writer{out}, out.Write(titles)
}

// Add writes an account. It leaves out those of users who are in the directory and not in scope: they need an
// assignment, not a second user.
func (w *Writer) Add(account *reconcile.Account) error {
	if account.State != reconcile.NoSource || account.SourceID != nil {
		return nil
	}
	row := make([]string, len(columns))
	for i, column := range columns {
		row[i] = console.WithoutFormula(valueOf(column.path, account))
	}
	return w.out.Write(row)
}

// Close writes what is buffered, and returns the first error.
func (w *Writer) Close() error {
	w.out.Flush()
	return w.out.Error()
}

func valueOf(text string, account *reconcile.Account) string {
	if text == "" {
		return ""
	}
	path, err := target.ParsePath(text)
	if err != nil {
		return ""
	}
	value := ""
	if v := account.Resource.Value(path); v != nil {
		value = strings.TrimSpace(console.Printable(fmt.Sprint(v)))
	}
	switch {
	case text == "active":
		return map[bool]string{true: "Yes", false: "No"}[strings.EqualFold(value, "false")]
	case text == "displayName" && value == "":
		return account.Key
	}
	return value
}
