using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Muse.Benchmarks;

/// <summary>
/// The lower bound for a response over HTTP: an ASP.NET endpoint in its own process that reads the JSON and responds with as many bytes.
/// </summary>
static class PlainEndpoint
{
    /// <summary>Serves until it is killed.</summary>
    public static async Task ServeAsync(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var image = new byte[int.Parse(args[1], CultureInfo.InvariantCulture)];
        app.MapPost("/", async (HttpRequest request) =>
        {
            var body = await JsonNode.ParseAsync(request.Body);
            return Results.Json(new JsonObject
            {
                ["prompt"] = body!["prompt"]!.GetValue<string>(),
                ["b64_json"] = Convert.ToBase64String(image),
            });
        });
        await app.RunAsync($"http://127.0.0.1:{args[0]}");
    }

    /// <summary>Starts the endpoint and measures its requests a second.</summary>
    public static async Task<LoadResult> MeasureAsync(int bytes, string json, int clients, double seconds)
    {
        var port = RunningMuse.FreePort();
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. Self, "plain", $"{port}", $"{bytes}"]))!;
        try
        {
            using var http = new HttpClient();
            while (true)
            {
                try
                {
                    using var response = await http.GetAsync($"http://127.0.0.1:{port}/");
                    break;
                }
                catch (HttpRequestException)
                {
                    await Task.Delay(50); // It is starting.
                }
            }

            return await HttpClients.RunAsync(port, "/", json, clients, seconds);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }

    /// <summary>The arguments with which this program's file starts it again.</summary>
    public static string[] Self =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(PlainEndpoint).Assembly.Location] : [];
}
