using System.Collections.Concurrent;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>One visitor's window on the pages, and what went wrong in it.</summary>
public sealed class Visit : IAsyncDisposable
{
    readonly IBrowserContext context;
    readonly ConcurrentQueue<string> troubles = new();
    readonly List<string> expected = [];

    public Visit(IBrowserContext context, IPage page, Uri address)
    {
        (this.context, Page) = (context, page);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                troubles.Enqueue($"console {message.Type}: {message.Text} at {message.Location}");
        };
        page.PageError += (_, error) => troubles.Enqueue($"script error: {error}");
        page.Request += (_, request) =>
        {
            var url = new Uri(request.Url);
            if (url.Scheme is not ("blob" or "data") && url.Authority != address.Authority)
                troubles.Enqueue($"request to another host: {request.Url}");
        };
    }

    public IPage Page { get; }
    public ILocator Prompt => Page.GetByLabel("Describe the picture");
    public ILocator Paint => Page.GetByRole(AriaRole.Button, new() { Name = "Paint", Exact = true });
    public ILocator Stage => Page.Locator("#stage");
    /// <summary>Where the job at hand stands, in a sentence.</summary>
    public ILocator Where => Page.Locator("#stage .where");
    /// <summary>The painted pictures on the easel.</summary>
    public ILocator Painted => Page.Locator("#stage img.painted");
    /// <summary>What hangs in the gallery.</summary>
    public ILocator Hung => Page.Locator("#wall .hook");

    /// <summary>Writes a prompt and sends it.</summary>
    public async Task PaintAsync(string prompt)
    {
        await Prompt.FillAsync(prompt);
        await Paint.ClickAsync();
    }

    /// <summary>Waits until the job at hand is painted and its picture is loaded.</summary>
    public async Task ExpectPaintedAsync()
    {
        await Expect(Where).ToContainTextAsync("Painted in", new() { Timeout = 60_000 });
        await Expect(Painted.First).ToHaveJSPropertyAsync("complete", true);
        Assert.True(await Painted.First.EvaluateAsync<int>("image => image.naturalWidth") > 0);
    }

    /// <summary>The browser reports an answer above 399 as a console error: these the test provoked.</summary>
    public void Expects(params string[] parts) => expected.AddRange(parts);

    /// <summary>No error or warning on the console, no script error, no request to another host.</summary>
    public void HadNoTrouble() => Assert.DoesNotContain(troubles, trouble => !expected.Any(part => trouble.Contains(part, StringComparison.Ordinal)));

    /// <summary>axe-core finds nothing serious or critical.</summary>
    public async Task IsAccessibleAsync()
    {
        var found = await Page.RunAxe();
        var faults = found.Violations.Where(violation => violation.Impact is "serious" or "critical")
            .Select(violation => $"{violation.Id}: {violation.Help}: {string.Join("; ", violation.Nodes.Select(node => node.Html))}").ToList();
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    /// <summary>Nothing sticks out to the side.</summary>
    public async Task FitsTheWidthAsync() =>
        Assert.True(await Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "The page scrolls sideways.");

    public ValueTask DisposeAsync() => context.DisposeAsync();
}
