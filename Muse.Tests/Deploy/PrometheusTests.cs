using System.Net.Http.Json;
using k8s;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using StackExchange.Redis;

namespace Muse.Tests.Deploy;

/// <summary>A real Prometheus that scrapes a running Muse, with the chart's alert rules and the queries of its Grafana dashboard.</summary>
public sealed class PrometheusTests
{
    [SkippableFact]
    public async Task The_dashboard_shows_data_and_alerts_fire_when_they_should_and_only_then()
    {
        var rules = await RulesAsync();
        var ports = new[] { "api", "worker", "autoscaler" }.ToDictionary(component => component, _ => RedisServer.FreePort());
        await using var prometheus = await PrometheusServer.StartAsync(
            string.Join('\n', ports.Select(port => Scrape(port.Key, port.Value))), rules);
        await using var fixture = await QueueFixture.StartAsync();
        await using var api = Start("Muse.Api", "api", ("MUSE_RATE_LIMITS", "false"));
        await using var worker = Start("Muse.GpuWorker", "worker", ("MUSE_GPU_TYPE", "simulated:base=10ms,picture=1ms"));
        await using var autoscaler = Start("Muse.Autoscaler", "autoscaler", ("MUSE_AUTOSCALE_INTERVAL", "1"));
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{ports["api"]}") };

        foreach (var query in Dashboard.Queries().Where(query => query != "prometheus"))
        {
            if (query.StartsWith("label_values(", StringComparison.Ordinal))
                await Samples.EventuallyAsync(() => prometheus.LabelValuesAsync("muse_model"), values => values.Contains("scenes"));
            else
                await HasDataAsync(query.Replace("$model", ".*"));
        }

        await Samples.EventuallyAsync(prometheus.FiringAsync, firing => firing.Count == 0);

        // Nobody generates what waits, and an image was given up.
        worker.Terminate();
        Assert.True(await PostAsync("/v1/generations"));
        var redis = fixture.Start();
        await redis.Redis.StreamAddAsync(redis.Keys.Dead, [new NameValueEntry("reason", "a test")]);
        await FiresAsync("MuseNoWorker", "MuseWorkersMissing", "MuseQueueNotDraining", "MuseDeadLetters");

        // Redis is gone: the API answers with errors, and nobody measures.
        await fixture.Redis.KillAsync();
        await FiresAsync("MuseApiErrors", "MuseNotMeasured");

        api.Kill();
        autoscaler.Kill();
        await FiresAsync("MuseApiDown", "MuseAutoscalerDown");

        ProgramProcess Start(string project, string component, params (string, string)[] settings) =>
            new(project, fixture.Redis, [("ASPNETCORE_URLS", $"http://127.0.0.1:{ports[component]}"), .. settings]);

        async Task<bool> PostAsync(string path)
        {
            try
            {
                using var response = await client.PostAsJsonAsync(path, new { prompt = "a fox", n = 2 });
                return response.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false; // It is starting, or it was killed.
            }
        }

        async Task HasDataAsync(string query) => await Samples.EventuallyAsync(async () =>
        {
            // Rates and percentiles need images.
            await PostAsync("/v1/images/generations");
            return (Query: query, Values: await prometheus.QueryAsync(query));
        }, answer => answer.Values.Count > 0);

        async Task FiresAsync(params string[] alerts) => await Samples.EventuallyAsync(async () =>
        {
            await PostAsync("/v1/generations");
            return string.Join(", ", alerts.Except(await prometheus.FiringAsync()));
        }, missing => missing == "");
    }

    /// <summary>The chart's rules for the model scenes, with waits of a second so that the test need not last for minutes.</summary>
    static async Task<string> RulesAsync()
    {
        var rendered = Helm.Load(await Helm.RunAsync("template", "muse", Helm.Chart, "--namespace", "images",
            "--set", "monitoring.prometheusRule.enabled=true", "--set", "monitoring.prometheusRule.oldestWaitSeconds=1"));
        var rules = Assert.Single(rendered.OfType<PrometheusRule>());
        foreach (var rule in rules.Spec.Groups.SelectMany(group => group.Rules))
        {
            rule.For = "1s";
            rule.Expr = rule.Expr.Replace("[30m:1m]", "[30m:1s]");
        }

        return KubernetesYaml.Serialize(rules.Spec);
    }

    /// <summary>A program with the labels that the ServiceMonitors of the chart and the Prometheus operator give it.</summary>
    static string Scrape(string component, int port) => $$"""
        - job_name: {{component}}
          static_configs:
            - targets: ["127.0.0.1:{{port}}"]
              labels: { namespace: images, muse_model: scenes, muse_component: {{component}} }
        """;
}
