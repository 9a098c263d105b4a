using System.Net.Http.Json;
using System.Runtime.Versioning;
using Microsoft.Playwright;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Pages;
using StackExchange.Redis;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.AppHost;

/// <summary>Aspire's dashboard of the running system, seen in a browser.</summary>
[UnsupportedOSPlatform("windows")]
[Collection(nameof(Browser))]
public sealed class DashboardTests(Browser browser)
{
    [SkippableFact]
    public async Task The_dashboard_shows_the_resources_and_one_trace_for_a_request_and_none_for_polls()
    {
        await using var host = await AppHostProcess.StartAsync(("MUSE_MAX_WORKERS", "2"), ("MUSE_AUTOSCALE_INTERVAL", "1"));
        using var answer = await host.Http.PostAsJsonAsync("v1/images/generations", new { prompt = "a red circle on a blue background" });
        answer.EnsureSuccessStatusCode();
        await using var visit = await browser.VisitAsync(new($"http://localhost:{host.DashboardPort}"));
        await visit.Page.GotoAsync(host.LoginLink);

        (string Name, string State)[] resources =
            [("redis", "Running"), ("api", "Running"), ("autoscaler", "Running"), ("worker-0", "Running"), ("worker-1", "Not started")];
        foreach (var (name, state) in resources)
        {
            var row = visit.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = name }).Filter(new() { HasText = state });
            await Expect(row).ToHaveCountAsync(1);
        }
        foreach (var link in (string[])["Page", "Live view"])
            await Expect(visit.Page.GetByRole(AriaRole.Link, new() { Name = link })).ToBeVisibleAsync();
        await SaveAsync(visit, "resources");

        await visit.Page.GotoAsync("/structuredlogs/resource/worker-0");
        await Expect(visit.Page.GetByText("Hosting environment: Development")).ToBeVisibleAsync();
        await Expect(visit.Page.GetByText("is ready").First).ToBeVisibleAsync();
        await SaveAsync(visit, "logs");
        var errors = visit.Page.Locator("fluent-data-grid-row, tr")
            .Filter(new() { Has = visit.Page.GetByText("Error", new() { Exact = true }) });
        await Expect(errors).ToHaveCountAsync(0);

        await visit.Page.GotoAsync("/traces");
        var rows = visit.Page.Locator("fluent-data-grid-row, tr").Filter(new() { HasText = "v1/images/generations" });
        var filter = visit.Page.Locator("input[name=traces-search]");
        await filter.FillAsync("images/generations");
        await Expect(rows).ToHaveCountAsync(1);
        // Meanwhile the programs poll: the autoscaler decides every second, the others look for work and events.
        await using var redis = await ConnectionMultiplexer.ConnectAsync(host.RedisConnectionString);
        var decisions = new QueueKeys("scenes").Decisions;
        await Processes.UntilAsync(() => redis.GetDatabase().ListLength(decisions) >= 10, AppHostProcess.Limit);
        await filter.FillAsync("");
        await Expect(visit.Page.Locator("fluent-data-grid-row, tr").Filter(new() { HasText = "v1/models" }).First).ToBeVisibleAsync();
        await SaveAsync(visit, "traces");
        foreach (var poll in (string[])["EVALSHA", "EXISTS", "XREVRANGE", "XREADGROUP", "HGETALL", "TIME"])
        {
            await filter.FillAsync(poll);
            await Expect(visit.Page.GetByText("No traces found")).ToBeVisibleAsync();
        }
        await filter.FillAsync("images/generations");
        await rows.First.GetByText("POST /v1/images/generations").First.ClickAsync();
        await visit.Page.WaitForURLAsync("**/traces/detail/**");
        foreach (var span in (string[])["enqueue", "generate", "encode prompt", "decode", "store result"])
            await Expect(visit.Page.GetByText(span).First).ToBeVisibleAsync();
        await SaveAsync(visit, "trace");
    }

    static Task SaveAsync(Visit visit, string name) =>
        visit.Page.ScreenshotAsync(new() { Path = Path.Combine(Repository.Root, "artifacts", "dashboard", $"{name}.png") });
}
