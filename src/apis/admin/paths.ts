/** Paths of the admin API that several of its contracts begin with. A tenant is a customer there. */
export const TENANTS = '/admin/customers'
export const TENANT = '/admin/customers/:customer_id'
