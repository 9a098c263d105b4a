using Muse.Screenshots;
using Muse.Tests.Pages;

var browser = new Browser();
await browser.InitializeAsync();
try
{
    await new Screenshots(browser).TakeAsync();
}
finally
{
    await browser.DisposeAsync();
}
