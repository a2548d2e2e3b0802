package target_test

import (
	"fmt"

	"entrasync/target"
)

// A path names an attribute as a SCIM PATCH does. Setting one makes the entry that its filter asks for.
func ExampleParsePath() {
	account := map[string]any{"userName": "ada@contoso.example"}
	for _, text := range []string{"userName", "name.givenName", `emails[type eq "work"].value`} {
		path, err := target.ParsePath(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		if path.Get(account) == nil {
			path.Set(account, "Ada")
		}
	}
	fmt.Println(account)
	_, err := target.ParsePath("emails[type eq")
	fmt.Println(err)
	// Output:
	// map[emails:[map[type:work value:Ada]] name:map[givenName:Ada] userName:ada@contoso.example]
	// attribute path "emails[type eq", column 15: a value is missing after eq, in double quotes
}

// A filter protects accounts by what the application shows of them.
func ExampleParseFilter() {
	filter, err := target.ParseFilter(`userType eq "service" or userName sw "root@"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filter.Match(map[string]any{"userName": "Root@example.com"}), filter.Match(map[string]any{"userName": "ada@example.com"}))
	// Output: true false
}
