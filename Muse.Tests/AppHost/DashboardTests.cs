using System.Net;
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
public sealed class DashboardTests(Browser browser, RunningAppHost running) : IClassFixture<RunningAppHost>
{
    [SkippableFact]
    public async Task It_lets_in_only_who_has_the_login_link()
    {
        var host = await running.GetAsync();
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        using var anonymous = await client.GetAsync($"http://localhost:{host.DashboardPort}/");
        Assert.Equal(HttpStatusCode.Redirect, anonymous.StatusCode);
        Assert.Contains("/login", anonymous.Headers.Location!.ToString());

        Assert.NotEmpty(host.LoginLink);
        using var known = await client.GetAsync(host.LoginLink);
        Assert.Equal(HttpStatusCode.Redirect, known.StatusCode);
        Assert.DoesNotContain("/login", known.Headers.Location!.ToString());
    }

    [SkippableFact]
    public async Task It_shows_the_resources_with_their_links_and_no_errors()
    {
        var host = await running.GetAsync();
        await using var visit = await VisitAsync(host);
        foreach (var name in (string[])["redis", "api", "autoscaler"])
            await Expect(Row(visit, name).Filter(new() { HasText = "Running" })).ToHaveCountAsync(1);
        await Expect(Row(visit, "worker-").Filter(new() { HasText = "Running" })).ToHaveCountAsync(1);
        await Expect(Row(visit, "worker-")).ToHaveCountAsync(2);
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
    }

    [SkippableFact]
    public async Task It_shows_one_trace_for_a_request_and_none_for_polls()
    {
        var host = await running.GetAsync();
        await using var visit = await VisitAsync(host);
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
        await Expect(visit.Page.Locator("fluent-data-grid-row, tr").Filter(new() { HasText = "GET /v1/" }).First).ToBeVisibleAsync();
        await SaveAsync(visit, "traces");
        foreach (var poll in (string[])["EVALSHA", "EXISTS", "XREVRANGE", "XREADGROUP", "HGETALL", "TIME"])
        {
            await filter.FillAsync(poll);
            await Expect(visit.Page.GetByText("No traces found")).ToBeVisibleAsync();
        }
        await filter.FillAsync("images/generations");
        await OpenTraceAsync(visit, rows.First.GetByText("POST /v1/images/generations").First);
        foreach (var span in (string[])["enqueue", "generate", "encode prompt", "decode", "store result"])
            await Expect(visit.Page.GetByText(span).First).ToBeVisibleAsync();
        await SaveAsync(visit, "trace");
    }

    [SkippableFact]
    public async Task Its_Drain_command_hands_back_a_workers_work_and_another_worker_goes_on()
    {
        var host = await running.GetAsync();
        await using var visit = await VisitAsync(host);
        var drained = host.WorkerProcesses().Single();
        var submission = await host.SubmitAsync(images: 2, steps: 100);
        await host.UntilAsync(submission, AppHostProcess.IsRunning);
        var worker = Row(visit, "worker-").Filter(new() { HasText = "Running" });
        await worker.GetByRole(AriaRole.Button, new() { Name = "Actions" }).ClickAsync();
        await visit.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Drain" }).ClickAsync();

        var done = await host.UntilAsync(submission, AppHostProcess.HasEnded);
        Assert.Equal("succeeded", AppHostProcess.State(done));
        await Processes.UntilAsync(() => !Processes.IsAlive(drained) && host.WorkerProcesses().Count == 1, AppHostProcess.Limit,
            () => $"Worker {drained} was drained; these run: {string.Join(", ", host.WorkerProcesses())}\n{host.Output}");
        Assert.Contains("is drained: it hands back", host.Output);
        Assert.DoesNotContain("ended unexpectedly", host.Output);
    }

    /// <summary>Clicks until the trace is open: the list is drawn anew while spans arrive, so a click may miss its row.</summary>
    static async Task OpenTraceAsync(Visit visit, ILocator row)
    {
        using var late = new CancellationTokenSource(AppHostProcess.Limit);
        while (!visit.Page.Url.Contains("/traces/detail/", StringComparison.Ordinal))
        {
            late.Token.ThrowIfCancellationRequested();
            await row.ClickAsync();
            try
            {
                await visit.Page.WaitForURLAsync("**/traces/detail/**", new() { Timeout = 5_000 });
            }
            catch (TimeoutException)
            {
                // The click missed: once more.
            }
        }
    }

    async Task<Visit> VisitAsync(AppHostProcess host)
    {
        var visit = await browser.VisitAsync(new($"http://localhost:{host.DashboardPort}"));
        await visit.Page.GotoAsync(host.LoginLink);
        return visit;
    }

    static ILocator Row(Visit visit, string name) => visit.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = name });

    static Task SaveAsync(Visit visit, string name) =>
        visit.Page.ScreenshotAsync(new() { Path = Path.Combine(Repository.Root, "artifacts", "dashboard", $"{name}.png") });
}
