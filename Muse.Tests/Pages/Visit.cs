using System.Collections.Concurrent;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>A browser window on the pages, and the problems that it reported.</summary>
public sealed class Visit : IAsyncDisposable
{
    readonly IBrowserContext context;
    readonly ConcurrentQueue<string> problems = new();
    readonly List<string> allowed = [];

    public Visit(IBrowserContext context, IPage page, Uri address)
    {
        (this.context, Page) = (context, page);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                problems.Enqueue($"console {message.Type}: {message.Text} at {message.Location}");
        };
        page.PageError += (_, error) => problems.Enqueue($"script error: {error}");
        page.Request += (_, request) =>
        {
            var url = new Uri(request.Url);
            if (url.Scheme is not ("blob" or "data") && url.Authority != address.Authority)
                problems.Enqueue($"request to another host: {request.Url}");
        };
    }

    public IPage Page { get; }
    public ILocator PromptField => Page.GetByLabel("Describe the image");
    public ILocator PaintButton => Page.GetByRole(AriaRole.Button, new() { Name = "Paint", Exact = true });
    public ILocator CurrentJob => Page.Locator("#current-job");
    /// <summary>The current job's state, in a sentence.</summary>
    public ILocator Status => Page.Locator("#current-job .status-text");
    /// <summary>The finished images of the current job.</summary>
    public ILocator FinishedImages => Page.Locator("#current-job img.finished");
    /// <summary>The images in the gallery.</summary>
    public ILocator GalleryItems => Page.Locator("#gallery-list .open-job");

    /// <summary>Enters a prompt and submits it.</summary>
    public async Task SubmitAsync(string prompt)
    {
        await PromptField.FillAsync(prompt);
        await PaintButton.ClickAsync();
    }

    /// <summary>Waits until the current job has succeeded and its image is loaded.</summary>
    public async Task ExpectFinishedAsync()
    {
        await Expect(Status).ToContainTextAsync("Generated in");
        await Expect(FinishedImages.First).ToHaveJSPropertyAsync("complete", true);
        Assert.True(await FinishedImages.First.EvaluateAsync<int>("image => image.naturalWidth") > 0);
    }

    /// <summary>Allows console errors with these texts. The browser reports each status above 399 as one.</summary>
    public void AllowConsoleErrors(params string[] parts) => allowed.AddRange(parts);

    /// <summary>No error or warning on the console, no script error, no request to another host.</summary>
    public void AssertNoProblems() =>
        Assert.DoesNotContain(problems, problem => !allowed.Any(part => problem.Contains(part, StringComparison.Ordinal)));

    /// <summary>axe-core finds nothing serious or critical.</summary>
    public async Task IsAccessibleAsync()
    {
        var found = await Page.RunAxe();
        var faults = found.Violations.Where(violation => violation.Impact is "serious" or "critical")
            .Select(violation => $"{violation.Id}: {violation.Help}: {string.Join("; ", violation.Nodes.Select(node => node.Html))}")
            .ToList();
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    /// <summary>The page does not scroll sideways.</summary>
    public async Task FitsTheWidthAsync() =>
        Assert.True(await Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
            "The page scrolls sideways.");

    public ValueTask DisposeAsync() => context.DisposeAsync();
}
