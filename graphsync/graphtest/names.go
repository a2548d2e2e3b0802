package graphtest

import "strings"

// A culture is names that go together, as people in one country would have them, and the
// country's office.
type culture struct {
	given, family             []string
	country, code, city, lang string
	phone                     string
}

var cultures = []culture{
	{
		given:   strings.Fields("James Olivia Noah Amelia Oliver Grace Harry Isla George Freya Arthur Ruby Theo Ivy Leo Alice"),
		family:  strings.Fields("Smith Jones Taylor Brown Williams Evans Walker Wright Robinson Thompson O'Neill Clarke Hughes Green"),
		country: "United Kingdom", code: "GB", city: "London", lang: "en-GB", phone: "+44 20 7946 0",
	},
	{
		given:   strings.Fields("Lukas Emma Jürgen Anneliese Jonas Mia Felix Hannah Günther Sophie Maximilian Lena Björn Käthe"),
		family:  strings.Fields("Müller Schmidt Schneider Fischer Weiß Wagner Becker Schäfer Koch Böhm Groß Vogel Krüger Köhler"),
		country: "Germany", code: "DE", city: "Berlin", lang: "de-DE", phone: "+49 30 23125 ",
	},
	{
		given:   strings.Fields("Aarav Ananya Vihaan Diya Arjun Priya Rohan Kavya Ishaan Meera Aditya Nisha Rahul Lakshmi"),
		family:  strings.Fields("Sharma Patel Iyer Reddy Gupta Nair Singh Kulkarni Mehta Rao Banerjee Chopra Desai Joshi"),
		country: "India", code: "IN", city: "Bengaluru", lang: "en-IN", phone: "+91 80 5550 ",
	},
	{
		given:   strings.Fields("Chidi Adaeze Emeka Ngozi Tunde Folake Obinna Amara Ifeanyi Zainab Musa Aisha Kelechi Yetunde"),
		family:  strings.Fields("Okafor Adeyemi Balogun Eze Ibrahim Nwosu Okonkwo Abubakar Ogunleye Chukwu Danjuma Obi"),
		country: "Nigeria", code: "NG", city: "Lagos", lang: "en-NG", phone: "+234 1 555 ",
	},
	{
		given:   strings.Fields("José María Santiago Valentina Mateo Camila Sebastián Lucía Nicolás Sofía Andrés Inés Joaquín Ximena"),
		family:  []string{"García", "Rodríguez", "Martínez", "López", "Hernández", "Gómez", "Peña", "Núñez", "De la Cruz", "Muñoz", "Torres", "Ibáñez"},
		country: "Mexico", code: "MX", city: "Guadalajara", lang: "es-MX", phone: "+52 33 5550 ",
	},
	{
		given:   strings.Fields("Yuki Haruto Sakura Ren Aoi Sora Hina Kaito Mei Riku Yui Takumi Akari Daiki"),
		family:  strings.Fields("Satō Suzuki Takahashi Tanaka Watanabe Itō Yamamoto Nakamura Kobayashi Katō Yoshida Yamada"),
		country: "Japan", code: "JP", city: "Osaka", lang: "ja-JP", phone: "+81 6 5550 ",
	},
	{
		given:   strings.Fields("Zofia Jakub Zuzanna Antoni Julia Szymon Maja Franciszek Oliwia Filip Łucja Stanisław Grażyna Michał"),
		family:  strings.Fields("Nowak Kowalska Wiśniewski Wójcik Kamińska Lewandowski Zieliński Szymański Woźniak Dąbrowski Kozłowska Jabłoński"),
		country: "Poland", code: "PL", city: "Kraków", lang: "pl-PL", phone: "+48 12 555 ",
	},
	{
		given:   strings.Fields("Layla Omar Fatima Youssef Noor Karim Mariam Hassan Salma Tariq Rania Khalid Dina Samir"),
		family:  []string{"Haddad", "El-Sayed", "Khoury", "Mansour", "Al Farsi", "Nasser", "Saleh", "Abdallah", "Darwish", "Aziz"},
		country: "Egypt", code: "EG", city: "Cairo", lang: "ar-EG", phone: "+20 2 5550 ",
	},
	{
		given:   strings.Fields("Linh Minh Anh Tuấn Hương Nam Thảo Dũng Mai Quang Lan Hải"),
		family:  strings.Fields("Nguyễn Trần Lê Phạm Hoàng Vũ Đặng Bùi Đỗ Hồ"),
		country: "Vietnam", code: "VN", city: "Đà Nẵng", lang: "vi-VN", phone: "+84 236 555 ",
	},
	{
		given:   strings.Fields("Astrid Erik Freja Lars Ingrid Søren Maja Nils Åsa Gustav Sigrid Håkon Øystein Linnéa"),
		family:  strings.Fields("Hansen Johansson Andersen Nilsson Jørgensen Lindqvist Østergaard Bergström Dahl Sørensen Åberg Holm"),
		country: "Denmark", code: "DK", city: "København", lang: "da-DK", phone: "+45 33 55 ",
	},
}

// A unit is a department with what its people are called, from the top down.
type unit struct {
	name   string
	titles []string
	weight int // people out of 100
}

var units = []unit{
	{"Sales", []string{"VP Sales", "Sales Manager", "Account Executive", "Account Executive", "Sales Development Representative"}, 20},
	{"Engineering", []string{"VP Engineering", "Engineering Manager", "Staff Engineer", "Software Engineer", "Software Engineer", "QA Engineer"}, 26},
	{"Customer Support", []string{"Head of Support", "Support Team Lead", "Support Specialist", "Support Specialist"}, 14},
	{"Marketing", []string{"Chief Marketing Officer", "Marketing Manager", "Content Designer", "Campaign Specialist"}, 9},
	{"Finance", []string{"Chief Financial Officer", "Controller", "Accountant", "Payroll Specialist"}, 8},
	{"People & Culture", []string{"Head of People", "HR Business Partner", "Recruiter"}, 6},
	{"Operations", []string{"Chief Operating Officer", "Operations Manager", "Warehouse Associate", "Logistics Planner", "Facilities Technician"}, 12},
	{"Legal", []string{"General Counsel", "Legal Counsel", "Paralegal"}, 2},
	{"IT", []string{"Chief Information Officer", "IT Manager", "Systems Administrator", "Service Desk Analyst"}, 3},
}

var partners = []string{"fabrikam.example", "northwind.example", "adatum.example", "tailspin.example"}

// ascii is what letters become in addresses.
var ascii = strings.NewReplacer(
	"ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "ø", "oe", "å", "aa", "é", "e", "í", "i", "á", "a", "ó", "o", "ú", "u", "ñ", "n",
	"ō", "o", "ł", "l", "ś", "s", "ń", "n", "ż", "z", "ź", "z", "ą", "a", "ę", "e", "ó", "o", "đ", "d", "ễ", "e", "ầ", "a", "ê", "e",
	"ạ", "a", "à", "a", "ũ", "u", "ặ", "a", "ù", "u", "ỗ", "o", "ồ", "o", "ấ", "a", "ư", "u", "ơ", "o", "ả", "a", "ả", "a", "ẵ", "a",
	"'", "", "-", "", " ", "", "ế", "e", "ệ", "e", "ö", "oe", "â", "a", "ậ", "a",
)

func address(given, family string) string {
	return ascii.Replace(strings.ToLower(given)) + "." + ascii.Replace(strings.ToLower(family))
}
