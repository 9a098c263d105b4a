using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Deploy;

/// <summary>A real Prometheus of a test's own, on a free loopback port, with its data in a temporary folder.</summary>
sealed class PrometheusServer : IAsyncDisposable
{
    static readonly string? Executable = Helm.OnPath("prometheus");

    readonly TemporaryFolder folder = new();
    readonly HttpClient client;
    readonly Process process;

    PrometheusServer(string scrapes, string rules)
    {
        var port = RedisServer.FreePort();
        var config = Path.Combine(folder.Path, "prometheus.yaml");
        File.WriteAllText(Path.Combine(folder.Path, "rules.yaml"), rules);
        File.WriteAllText(config, $$"""
            global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
            rule_files: [rules.yaml]
            scrape_configs:
            {{scrapes}}
            """);
        string[] arguments =
        [
            $"--config.file={config}", $"--storage.tsdb.path={folder.Path}/data", $"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ];
        process = Process.Start(new ProcessStartInfo(Executable!, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        client = new() { BaseAddress = new($"http://127.0.0.1:{port}/api/v1/") };
    }

    /// <summary>Starts one and waits until it answers. Skips the test where there is none.</summary>
    /// <param name="scrapes">The list <c>scrape_configs</c>, YAML.</param>
    /// <param name="rules">A file of rules, YAML.</param>
    public static async Task<PrometheusServer> StartAsync(string scrapes, string rules)
    {
        Skip.If(Executable is null, "There is no prometheus on the PATH: ./muse test installs one.");
        var server = new PrometheusServer(scrapes, rules);
        try
        {
            await Samples.EventuallyAsync(async () =>
            {
                Assert.False(server.process.HasExited, "Prometheus has ended.");
                try
                {
                    return (await server.client.GetAsync("status/buildinfo")).IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false; // Not yet.
                }
            }, answers => answers);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>The values of a query now. Those that are no numbers are left out.</summary>
    public async Task<List<double>> QueryAsync(string query)
    {
        var data = await GetAsync($"query?query={Uri.EscapeDataString(query)}");
        return [.. data.GetProperty("result").EnumerateArray()
            .Select(sample => double.Parse(sample.GetProperty("value")[1].GetString()!.Replace("Inf", "Infinity"),
                CultureInfo.InvariantCulture))
            .Where(value => !double.IsNaN(value))];
    }

    /// <summary>The values of a label.</summary>
    public async Task<List<string>> LabelValuesAsync(string label) =>
        [.. (await GetAsync($"label/{label}/values")).EnumerateArray().Select(value => value.GetString()!)];

    /// <summary>The names of the alerts that fire.</summary>
    public async Task<HashSet<string>> FiringAsync() =>
        [.. (await GetAsync("alerts")).GetProperty("alerts").EnumerateArray()
            .Where(alert => alert.GetProperty("state").GetString() == "firing")
            .Select(alert => alert.GetProperty("labels").GetProperty("alertname").GetString()!)];

    async Task<JsonElement> GetAsync(string path)
    {
        using var response = await client.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{path}: {text}");
        return JsonDocument.Parse(text).RootElement.GetProperty("data");
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        client.Dispose();
        folder.Dispose();
    }
}
