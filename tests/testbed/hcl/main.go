// Evaluates a file of HCL with the library that Terraform itself reads it by: blocks as a list, every attribute as JSON.
// Variables and references to resources are errors: what is read here stands for itself.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

type block struct {
	Type       string                     `json:"type"`
	Labels     []string                   `json:"labels"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Blocks     []block                    `json:"blocks"`
}

var functions = &hcl.EvalContext{Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc}}

func main() {
	text, err := io.ReadAll(os.Stdin)
	stopOn(err)
	file, problems := hclsyntax.ParseConfig(text, "stdin", hcl.InitialPos)
	if problems.HasErrors() {
		stopOn(problems)
	}
	root, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		stopOn(fmt.Errorf("the file has no body"))
	}
	stopOn(json.NewEncoder(os.Stdout).Encode(read("", nil, root)))
}

func read(kind string, labels []string, body *hclsyntax.Body) block {
	made := block{kind, labels, map[string]json.RawMessage{}, []block{}}
	for name, attribute := range body.Attributes {
		value, problems := attribute.Expr.Value(functions)
		if problems.HasErrors() {
			stopOn(problems)
		}
		text, err := ctyjson.Marshal(value, value.Type())
		stopOn(err)
		made.Attributes[name] = text
	}
	for _, inner := range body.Blocks {
		made.Blocks = append(made.Blocks, read(inner.Type, inner.Labels, inner.Body))
	}
	return made
}

func stopOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
