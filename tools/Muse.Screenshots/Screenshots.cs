using System.Net;
using System.Net.Http.Json;
using Microsoft.Playwright;
using Muse.Tests.Api;
using Muse.Tests.Infrastructure;
using Muse.Tests.Pages;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Muse.Screenshots;

/// <summary>Takes screenshots of both pages of a running system for <c>docs/img</c>: light and dark, on a desktop and on a phone.</summary>
sealed class Screenshots(Browser browser)
{
    static readonly string[] Prompts =
    [
        "a yellow moon in the top left corner and a green tree on the right, in the hills at night",
        "a white boat on the sea at sunset",
        "three pink flowers on a white background",
        "a small red house in the snow",
        "a big yellow sun in the upper right corner by the sea",
        "a purple mushroom next to a red mushroom in the hills",
        "a large orange fish in the middle on a blue background",
        "a huge pink heart on a black background",
        "a blue heart to the right of an orange star on a white background",
        "a white cloud above a red boat on the ocean",
        "a brown house in a snowy field at night",
    ];

    /// <summary>The prompt of the current job, one for each screenshot of the page.</summary>
    static readonly string[] CurrentJobPrompts =
    [
        "a large red star above a small blue house at night",
        "a big yellow sun above a purple house in the hills",
        "a large green fish in the middle on a yellow background",
        "a white moon to the left of a red rocket at night",
    ];

    public async Task TakeAsync()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var worker = new ProgramProcess("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "cpu"));
        foreach (var (prompt, index) in Prompts.Select((prompt, index) => (prompt, index)))
            await SubmitAsync(server, new { prompt, seed = 1000 + index });
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        {
            foreach (var (name, width, height) in Screens)
            {
                await ShootPaintPageAsync(server, scheme, name, width, height);
                await ShootEditorAsync(server, scheme, name, width, height);
            }
        }

        await using var simulated =
            new ProgramProcess("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "simulated:base=400ms,picture=100ms"));
        await using var autoscaler = new ProgramProcess("Muse.Autoscaler", server.Redis, ("MUSE_AUTOSCALE_INTERVAL", "00:00:05"));
        var visits = new List<(Visit Visit, string File)>();
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        {
            foreach (var (name, width, height) in Screens)
            {
                var visit = await browser.VisitAsync(server.Address, scheme, width, height);
                await visit.Page.GotoAsync("/ops");
                visits.Add((visit, $"ops-{name}-{Word(scheme)}.png"));
            }
        }
        // Three waves of requests fill the charts and timelines. The screenshots are taken during a fourth.
        await FeedAsync(server, 0, Waves + Rush / 2, CancellationToken.None);
        using var enough = new CancellationTokenSource();
        var feeding = FeedAsync(server, Waves, int.MaxValue, enough.Token);
        foreach (var (visit, file) in visits)
        {
            await Expect(visit.Page.Locator(".worker")).ToHaveCountAsync(2);
            await Expect(visit.Page.Locator(".slot.taken").Nth(19)).ToBeVisibleAsync();
            await ShootAsync(visit, file, fullPage: true);
            await visit.DisposeAsync();
        }
        await enough.CancelAsync();
        await feeding;
    }

    const int Rush = 50, Calm = 60, Waves = 3 * (Rush + Calm);

    /// <summary>Jobs in waves: more than both workers can do, then less.</summary>
    static async Task FeedAsync(ApiServer server, int from, int to, CancellationToken enough)
    {
        var random = new Random(from);
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(150));
        for (var job = from; job < to && !enough.IsCancellationRequested; job++)
        {
            await SubmitAsync(server, new { prompt = Prompts[job % Prompts.Length], steps = random.Next(8, 60), n = random.Next(1, 4) });
            pace.Period = TimeSpan.FromMilliseconds(job >= Waves || job % (Rush + Calm) < Rush ? 150 : 800);
            await pace.WaitForNextTickAsync();
        }
    }

    static readonly (string Name, int Width, int Height)[] Screens = [("desktop", 1360, 900), ("phone", 390, 844)];

    async Task ShootPaintPageAsync(ApiServer server, ColorScheme scheme, string name, int width, int height)
    {
        await using var visit = await browser.VisitAsync(server.Address, scheme, width, height);
        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.Locator("#gallery-list img.finished"))
            .ToHaveCountAsync(Prompts.Length + submitted + edited, new() { Timeout = 120_000 });
        await visit.SubmitAsync(CurrentJobPrompts[submitted]);
        await visit.ExpectFinishedAsync();
        submitted++;
        await visit.Page.Mouse.MoveAsync(0, 0);
        await visit.Page.EvaluateAsync("scrollTo(0, 0)");
        await ShootAsync(visit, $"paint-{name}-{Word(scheme)}.png", fullPage: true);
    }

    /// <summary>The editor with a mask over the star, and the result beside the image before.</summary>
    async Task ShootEditorAsync(ApiServer server, ColorScheme scheme, string name, int width, int height)
    {
        await using var visit = await browser.VisitAsync(server.Address, scheme, width, height);
        await visit.Page.GotoAsync("/");
        await visit.Page.Locator("#start-file").SetInputFilesAsync(Path.Combine(Repository.Root, "docs", "img", "edit-before.png"));
        var mask = visit.Page.Locator("#start-mask");
        await Expect(mask).ToBeVisibleAsync();
        await mask.ScrollIntoViewIfNeededAsync();
        var box = (await mask.BoundingBoxAsync())!;
        await visit.Page.Mouse.MoveAsync(box.X + box.Width * 0.75f, box.Y + box.Height * 0.05f);
        await visit.Page.Mouse.DownAsync();
        for (var y = 0.1f; y < 0.55f; y += 0.1f)
        {
            foreach (var x in (float[])[0.55f, 0.97f])
                await visit.Page.Mouse.MoveAsync(box.X + box.Width * x, box.Y + box.Height * y, new() { Steps = 8 });
        }
        await visit.Page.Mouse.UpAsync();
        await visit.PromptField.FillAsync("a large blue star above a small blue house at night");
        await visit.Page.EvaluateAsync("scrollTo(0, 0)");
        await ShootAsync(visit, $"editor-{name}-{Word(scheme)}.png", fullPage: false);
        await visit.PaintButton.ClickAsync();
        await Expect(visit.Page.Locator(".before img")).ToBeVisibleAsync();
        await visit.ExpectFinishedAsync();
        edited++;
        await visit.Page.EvaluateAsync("scrollTo(0, 0)");
        await ShootAsync(visit, $"edited-{name}-{Word(scheme)}.png", fullPage: false);
    }

    int submitted, edited;

    static string Word(ColorScheme scheme) => scheme == ColorScheme.Dark ? "dark" : "light";

    static Task ShootAsync(Visit visit, string file, bool fullPage) =>
        visit.Page.ScreenshotAsync(new()
        {
            Path = Path.Combine(Repository.Root, "docs", "img", file),
            FullPage = fullPage,
            Animations = ScreenshotAnimations.Disabled,
        });

    static async Task SubmitAsync(ApiServer server, object body)
    {
        using var response = await server.Client.PostAsJsonAsync("/v1/generations", body);
        // A full queue (429) is fine.
        Assert.True(response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.TooManyRequests, $"{response.StatusCode}");
    }
}
