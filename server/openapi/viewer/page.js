'use strict';

// Shows the OpenAPI document of this server with Swagger UI, and mends what keeps it from
// being used by everybody.
{
  const root = document.getElementById('reference');
  const options = JSON.parse(root.dataset.options);

  // Swagger UI is dark when the root element has this class.
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', follow);
  follow();

  const parametersOf = (spec) => [
    ...Object.values(spec.components.parameters),
    ...Object.values(spec.paths).flatMap(Object.values).flatMap(({ parameters = [] }) => parameters.filter(({ $ref }) => !$ref)),
  ];

  // Swagger UI fills each field with the example of its parameter, and would send it. A
  // parameter that may be left out starts empty, with its example beside it. So does an
  // id, unless the server has the ids of the examples.
  const showExamples = (spec) => {
    for (const parameter of parametersOf(spec)) {
      if ((parameter.required && options.examples) || parameter.example === undefined) continue;
      parameter.description += ` Example: \`${parameter.example}\``;
      delete parameter.example;
    }
  };

  // Lets a reader choose from the templates that the server offers, wherever a path has a
  // template's id.
  const offerTemplates = (spec) => {
    if (!options.templates) return;
    const examples = Object.fromEntries(options.templates.map(({ id, title }) => [id, { value: id, summary: title }]));
    for (const parameter of parametersOf(spec)) {
      if (parameter.name !== 'template_id' || parameter.in !== 'path') continue;
      parameter.examples = examples;
      delete parameter.example;
    }
  };

  const plugin = ({ React }) => ({
    wrapComponents: {
      // The link would be inside the button that opens an operation, which changes the
      // address as well.
      DeepLink: () => ({ text }) => React.createElement('span', null, text),
      // Lines of JSON are no JSON, which Swagger UI would say.
      responseBody: (Body) => (props) => {
        const lines = props.contentType?.startsWith('application/x-ndjson');
        return React.createElement(Body, lines ? { ...props, contentType: 'text/plain' } : props);
      },
      InfoContainer: (Info) => (props) => React.createElement('header', null, React.createElement(Info, props)),
      // There is one server, and the page is of it.
      ServersContainer: () => () => null,
    },
    statePlugins: {
      spec: {
        wrapActions: {
          updateJsonSpec: (update) => (spec) => {
            offerTemplates(spec);
            showExamples(spec);
            return update(spec);
          },
        },
      },
    },
  });

  // What assistive technology has to know of an element.
  const parameterOf = (element) => element.closest('tr').dataset.paramName;
  const attributes = [
    ['.opblock-tag', 'aria-level', () => '2'],
    ['.parameters-col_description :is(input, select, textarea)', 'aria-label', parameterOf],
    ['.parameters-col_description .examples-select-element', 'aria-label', (element) => `Examples of ${parameterOf(element)}`],
    ['.opblock-section-request-body .examples-select-element', 'aria-label', () => 'Examples of the request body'],
    ['textarea.body-param__text', 'aria-label', () => 'Request body'],
    ['.close-modal', 'aria-label', () => 'Close'],
    ['.modal-btn', 'aria-label', (element) => element.textContent],
    ['.modal-ux', 'role', () => 'dialog'],
    ['.modal-ux', 'aria-modal', () => 'true'],
    ['.modal-ux', 'aria-label', () => 'Authorizations'],
    // What scrolls can be reached by keyboard.
    ['.live-responses-table pre, .curl', 'tabindex', () => '0'],
  ];

  // A dialog has the focus while it is open, and Escape closes it.
  let opener;
  const dialog = () => root.querySelector('.modal-ux');
  const enter = () => dialog().querySelector('input, button:not(.close-modal)').focus();
  const attend = () => {
    if (dialog() && !opener) {
      opener = document.activeElement;
      enter();
    } else if (!dialog() && opener) {
      opener.focus();
      opener = undefined;
    }
  };
  document.addEventListener('focusin', ({ target }) => {
    if (dialog() && !dialog().contains(target)) enter();
  });
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') dialog()?.querySelector('.close-modal').click();
  });

  new MutationObserver(() => {
    for (const [selector, name, value] of attributes) {
      for (const element of root.querySelectorAll(selector)) element.setAttribute(name, value(element));
    }
    attend();
  }).observe(root, { childList: true, subtree: true });

  const ui = SwaggerUIBundle({
    url: 'openapi.json',
    domNode: root,
    plugins: [plugin],
    validatorUrl: null,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    onComplete: () => {
      if (options.token) ui.preauthorizeApiKey('token', options.token);
    },
  });
}
