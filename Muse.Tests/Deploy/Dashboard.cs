using System.Text.Json;

namespace Muse.Tests.Deploy;

/// <summary>The Grafana dashboard of the chart.</summary>
static class Dashboard
{
    /// <summary>Every query of its panels and variables.</summary>
    public static List<string> Queries()
    {
        var queries = new List<string>();
        Walk(JsonDocument.Parse(File.ReadAllText(Path.Combine(Helm.Chart, "grafana", "muse.json"))).RootElement);
        return queries;

        void Walk(JsonElement element)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in element.EnumerateArray())
                    Walk(item);
            }
            else if (element.ValueKind == JsonValueKind.Object)
            {
                foreach (var property in element.EnumerateObject())
                {
                    if (property.Name is "expr" or "query" && property.Value.ValueKind == JsonValueKind.String)
                        queries.Add(property.Value.GetString()!);
                    else
                        Walk(property.Value);
                }
            }
        }
    }
}
