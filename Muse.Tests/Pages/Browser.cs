using Microsoft.Playwright;

namespace Muse.Tests.Pages;

/// <summary>Debian's Chromium, driven by Playwright; started by the first test that needs it and shared by all of them.</summary>
public sealed class Browser : IAsyncLifetime
{
    static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];

    /// <summary>Patience in milliseconds, for a machine that is busy with other things.</summary>
    const float Limit = 300_000;

    readonly SemaphoreSlim starting = new(1);
    IPlaywright? playwright;
    IBrowser? browser;

    /// <summary>Opens a window of its own with these settings. Skips the test if there is no Chromium.</summary>
    /// <param name="address">The address of the API or the dashboard.</param>
    /// <param name="scheme">The colours that the system prefers.</param>
    /// <param name="width">The width of the page in pixels.</param>
    /// <param name="height">Its height.</param>
    /// <param name="withMotion">Whether the page may be animated. Animations take most of the browser's processor time.</param>
    public async Task<Visit> VisitAsync(Uri address, ColorScheme scheme = ColorScheme.Light, int width = 1360, int height = 900,
        bool withMotion = false)
    {
        Skip.If(Executable is null, "There is no chromium on the PATH: ./muse test installs one.");
        await starting.WaitAsync();
        try
        {
            playwright ??= await Playwright.CreateAsync();
            browser ??= await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Executable, Args = Arguments });
        }
        finally
        {
            starting.Release();
        }
        var context = await browser.NewContextAsync(new()
        {
            BaseURL = address.ToString(),
            ColorScheme = scheme,
            Locale = "en-GB",
            ReducedMotion = withMotion ? ReducedMotion.NoPreference : ReducedMotion.Reduce,
            ViewportSize = new() { Width = width, Height = height },
        });
        context.SetDefaultTimeout(Limit);
        return new(context, await context.NewPageAsync(), address);
    }

    public Task InitializeAsync()
    {
        Assertions.SetDefaultExpectTimeout(Limit);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
        starting.Dispose();
    }

    // The headless shell is the same engine without the windows and menus around the page, which cost more than most pages.
    static string? Executable { get; } = ((string[])["chromium-headless-shell", "chromium", "chromium-browser"])
        .SelectMany(name => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, name)))
        .FirstOrDefault(File.Exists);
}

/// <summary>The tests that share the browser. They run one after the other, since a browser alone keeps two cores busy.</summary>
[CollectionDefinition(nameof(Browser))]
public sealed class BrowserCollection : ICollectionFixture<Browser>;
